// DuckDB's side of parts sizes and tsbs.
//
//   node duckdb.mjs version
//   node duckdb.mjs sizes TABLE CREATE_TABLE_FILE CSV_FILE SORT_COLUMNS FOLDER
//   node duckdb.mjs queries TABLE CREATE_TABLE_FILE CSV_FILE SORT_COLUMNS FOLDER RUNS THREADS NAME=SQL_FILE ...
//
// queries prints a line for each NAME: rows, and milliseconds of the first and the median of RUNS further runs, results
// fetched into this process. date_bin is written as time_bucket.
//
// sizes prints rows, bytes of the database file, of one in the newest storage format (by default DuckDB writes
// one that older versions read, without its newer codecs), and of the Parquet file. It loads the CSV file into a
// database of its own, then writes sorted copies into new ones, so that nothing but the sorted table is in a file that
// is measured. FOLDER takes all files; the caller removes it.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

const [what, table, schema, csv, sort, folder, runs, threads, ...queries] = process.argv.slice(2);
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
const value = async (sql) => (await connection.runAndReadAll(sql)).getRows()[0][0];

const path = (name) => join(folder, name);
const order = sort ? `ORDER BY ${sort}` : '';

// The CSV file as table `raw.TABLE` of a file of its own.
async function load() {
  await connection.run(`SET temp_directory = ${quoted(path('spill'))}`);
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(`ATTACH ${quoted(path('raw.db'))} AS raw`);
  await connection.run('USE raw');
  await connection.run(readFileSync(schema, 'utf8'));
  // As PostgreSQL's COPY reads it: an empty field is NULL, "" is an empty string.
  await connection.run(`COPY ${table} FROM ${quoted(csv)} (FORMAT csv, HEADER false, AUTO_DETECT false, DELIMITER ',',
    QUOTE '"', ESCAPE '"', NULLSTR '', ALLOW_QUOTED_NULLS false)`);
}

async function sorted(name, options) {
  await connection.run(`ATTACH ${quoted(path(`${name}.db`))} AS ${name} ${options}`);
  await connection.run(`CREATE TABLE ${name}.${table} AS SELECT * FROM raw.${table} ${order}`);
  await connection.run(`CHECKPOINT ${name}`);
}

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

async function timed(sql) {
  const start = performance.now();
  const reader = await connection.runAndReadAll(sql);
  return [performance.now() - start, reader.currentRowCount];
}

if (what === 'version') {
  console.log(await value('SELECT version()'));
} else if (what === 'sizes') {
  await load();
  await sorted('sorted', '');
  await sorted('newest', "(STORAGE_VERSION 'latest')");
  await connection.run(`COPY (SELECT * FROM sorted.${table} ${order}) TO ${quoted(path('sorted.parquet'))}
    (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19)`);
  const rows = await value(`SELECT count(*) FROM sorted.${table}`);
  await connection.run('DETACH sorted');
  await connection.run('DETACH newest');
  console.log([rows, ...['sorted.db', 'newest.db', 'sorted.parquet'].map((name) => statSync(path(name)).size)].join(' '));
} else if (what === 'queries') {
  await connection.run(`SET threads = ${Number(threads)}`);
  await load();
  await sorted('sorted', '');
  await connection.run('USE sorted');
  await connection.run('DETACH raw');
  for (const query of queries) {
    const [name, file] = query.split('=');
    const sql = readFileSync(file, 'utf8').replaceAll(/date_bin\('([^']*)', (\w+), [^)]*\)/g, "time_bucket(INTERVAL '$1', $2)");
    const [first, rows] = await timed(sql);
    const times = [];
    for (let run = 0; run < Number(runs); run++) times.push((await timed(sql))[0]);
    console.log([name, rows, first.toFixed(2), median(times).toFixed(2)].join(' '));
  }
} else {
  console.error('usage: duckdb.mjs version | sizes ... | queries ... (see the head of this file)');
  process.exit(2);
}
