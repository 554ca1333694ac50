// DuckDB's side of part sizes.
//
//   node duckdb.mjs version
//   node duckdb.mjs sizes TABLE CREATE_TABLE_FILE CSV_FILE SORT_COLUMNS FOLDER
//
// The second prints rows, bytes of the database file, bytes of the Parquet file. It loads the CSV file into a
// database of its own, then writes a sorted copy into a new one, so that nothing but the sorted table is in the file
// that is measured. FOLDER takes all files; the caller removes it.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

const [what, table, schema, csv, sort, folder] = process.argv.slice(2);
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
const value = async (sql) => (await connection.runAndReadAll(sql)).getRows()[0][0];

if (what === 'version') {
  console.log(await value('SELECT version()'));
} else if (what === 'sizes') {
  const database = join(folder, 'sorted.db');
  const parquet = join(folder, 'sorted.parquet');
  const order = sort ? `ORDER BY ${sort}` : '';
  await connection.run(`SET temp_directory = ${quoted(join(folder, 'spill'))}`);
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(`ATTACH ${quoted(join(folder, 'raw.db'))} AS raw`);
  await connection.run('USE raw');
  await connection.run(readFileSync(schema, 'utf8'));
  // As PostgreSQL's COPY reads it: an empty field is NULL, "" is an empty string.
  await connection.run(`COPY ${table} FROM ${quoted(csv)} (FORMAT csv, HEADER false, AUTO_DETECT false, DELIMITER ',',
    QUOTE '"', ESCAPE '"', NULLSTR '', ALLOW_QUOTED_NULLS false)`);
  await connection.run(`ATTACH ${quoted(database)} AS sorted`);
  await connection.run(`CREATE TABLE sorted.${table} AS SELECT * FROM raw.${table} ${order}`);
  await connection.run('CHECKPOINT sorted');
  await connection.run(`COPY (SELECT * FROM sorted.${table} ${order}) TO ${quoted(parquet)}
    (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19)`);
  const rows = await value(`SELECT count(*) FROM sorted.${table}`);
  await connection.run('USE memory');
  await connection.run('DETACH sorted');
  console.log(`${rows} ${statSync(database).size} ${statSync(parquet).size}`);
} else {
  console.error('usage: duckdb.mjs version | sizes TABLE CREATE_TABLE_FILE CSV_FILE SORT_COLUMNS FOLDER');
  process.exit(2);
}
