// DuckDB's side of part sizes.
//
//   node duckdb.mjs version
//   node duckdb.mjs sizes TABLE CREATE_TABLE_FILE CSV_FILE SORT_COLUMNS FOLDER
//
// The second prints rows, bytes of the database file, of one in the newest storage format (by default DuckDB writes
// one that older versions read, without its newer codecs), and of the Parquet file. It loads the CSV file into a
// database of its own, then writes sorted copies into new ones, so that nothing but the sorted table is in a file that
// is measured. FOLDER takes all files; the caller removes it.
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
  const path = (name) => join(folder, name);
  const order = sort ? `ORDER BY ${sort}` : '';
  await connection.run(`SET temp_directory = ${quoted(path('spill'))}`);
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(`ATTACH ${quoted(path('raw.db'))} AS raw`);
  await connection.run('USE raw');
  await connection.run(readFileSync(schema, 'utf8'));
  // As PostgreSQL's COPY reads it: an empty field is NULL, "" is an empty string.
  await connection.run(`COPY ${table} FROM ${quoted(csv)} (FORMAT csv, HEADER false, AUTO_DETECT false, DELIMITER ',',
    QUOTE '"', ESCAPE '"', NULLSTR '', ALLOW_QUOTED_NULLS false)`);
  for (const [name, options] of [['sorted', ''], ['newest', "(STORAGE_VERSION 'latest')"]]) {
    await connection.run(`ATTACH ${quoted(path(`${name}.db`))} AS ${name} ${options}`);
    await connection.run(`CREATE TABLE ${name}.${table} AS SELECT * FROM raw.${table} ${order}`);
    await connection.run(`CHECKPOINT ${name}`);
  }
  await connection.run(`COPY (SELECT * FROM sorted.${table} ${order}) TO ${quoted(path('sorted.parquet'))}
    (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19)`);
  const rows = await value(`SELECT count(*) FROM sorted.${table}`);
  await connection.run('DETACH sorted');
  await connection.run('DETACH newest');
  console.log([rows, ...['sorted.db', 'newest.db', 'sorted.parquet'].map((name) => statSync(path(name)).size)].join(' '));
} else {
  console.error('usage: duckdb.mjs version | sizes TABLE CREATE_TABLE_FILE CSV_FILE SORT_COLUMNS FOLDER');
  process.exit(2);
}
