/** Tables: CSV and Parquet, as data of a run and as examples that a server is asked about. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../../lib/core/errors.js';
import { openSource } from '../../../lib/formats/data/dataset-source.js';
import { findData } from '../../../lib/formats/sources/registry.js';
import { damageOf, readParquetColumns } from '../../../lib/formats/sources/table/parquet-columns.js';
import { readParquetApart } from '../../../server/codecs/table-apart.js';
import { isParquet } from '../../../server/codecs/table-files.js';
import { readTableBody } from '../../../server/codecs/tables.js';
import { partitionSettings } from '../../settings.js';
import { filesOf } from '../corpus.js';
import { changed, pick, type Reshape } from '../mutate.js';
import { parquetValues } from '../parquet-frame.js';
import { wordsOf } from '../reshape.js';
import { type MakeTarget, readAll, readAny } from '../target.js';

const IID = partitionSettings('iid');

/** Inputs of a model of a table. */
const INPUTS = [
  { name: 'size', shape: [2], columns: [{ name: 'width' }, { name: 'height', missing: 1 }] },
  { name: 'soil', shape: [1], columns: [{ name: 'soil' }], categories: ['clay', 'loam'], takesUnknown: true },
];

/** A file as data, and as examples. */
function readings(file: string, bytes: Uint8Array) {
  return [
    async () => (await openSource(file, IID)).load(),
    async () => (await findData(file))?.survey?.({}, {}),
    () => (isParquet(bytes) ? readParquetApart : readTableBody)({ body: bytes, inputs: INPUTS }),
  ] as const;
}

const TEXTS = [
  'width,height,soil,label\n1,2,clay,0\n3,4,loam,1\n5,6,clay,0\n7,8,loam,1\n',
  'a,b,y\n1,0.5,no\n2,-0.5,yes\n3,1e3,no\n',
  'width,height,soil,label\n1,2,clay,a\n3,,loam,b\n5,6,clay,a\n7,8,loam,b\n',
  'x;y;target\n1,5;2;0,1\n3;4;0,2\n5;6;0,3\n',
  '1\t2\t0\n3\t4\t1\n5\t6\t0\n',
  'time,value,y\n2024-01-01,1,0\n2024-01-02T10:00:00Z,2,1\n2024-01-03,3,0\n',
  '\ufeffa,"b ""q""",y\r\n"1","2\n3",x\r\n4,5,z\r\n',
  'a,b,y\nNA,nan,yes\n1e5,-0.5,no\n,,yes\n2,3,no\n',
  '{"rows":1}\n',
];

/** Text with separators. */
export const csv: MakeTarget = async (directory) => ({
  seeds: TEXTS.map((text) => Buffer.from(text)),
  reshape: csvCells,
  words: [
    ...wordsOf(
      ',',
      ';',
      '\t',
      '"',
      '""',
      '\n',
      '\r\n',
      '\r',
      '\0',
      '\xff\xfe',
      'NA',
      'null',
      'inf',
      '1e400',
      ' ',
    ),
    ...wordsOf(
      '__proto__',
      'constructor',
      '2024-02-30',
      '24:61',
      'true',
      'label',
      'target',
      '|',
      '\xef\xbb\xbf',
    ),
  ],
  async read(bytes) {
    const file = join(directory, 'input.csv');
    await writeFile(file, bytes);
    const [load, survey, serve] = readings(file, bytes);
    await readAny(() => readAll(load, survey), serve);
  },
});

/** A cell that is another one, or the next number; a row or a cell twice, or not at all. */
const csvCells: Reshape = (bytes, ingredients) => {
  const { random } = ingredients;
  const text = bytes.toString('latin1');
  const rows = text.split('\n').map((line) => line.split(/(?<=[,;\t])/));
  const at = random.integer(0, rows.length - 1);
  const cells = rows[at] as string[];
  const cell = random.integer(0, cells.length - 1);
  const own = cells[cell] as string;
  const drawn = random.uniform();
  if (drawn < 0.3) cells[cell] = pick(random, pick(random, rows));
  else if (drawn < 0.6) cells[cell] = changed(Buffer.from(own, 'latin1'), ingredients).toString('latin1');
  else if (drawn < 0.75)
    cells[cell] = own.replace(/\d+/, (number) => `${Number(number) + random.integer(-9, 9)}`);
  else if (drawn < 0.85) rows.splice(random.integer(1, rows.length), 0, cells);
  else if (drawn < 0.9) rows.splice(at, 1);
  else for (const each of rows) each.splice(cell, random.integer(0, 1), ...each.slice(cell, cell + 1));
  return Buffer.from(rows.map((each) => each.join('')).join('\n'), 'latin1');
};

/** Columns in pages, compressed or not. Code that is to be seen runs here, though the programs have it run elsewhere. */
export const parquet: MakeTarget = async (directory) => {
  const file = join(directory, 'input.parquet');
  const readApart = async (bytes: Uint8Array) => {
    await writeFile(file, bytes);
    const [load, , serve] = readings(file, bytes);
    await readAll(load, serve);
  };
  return {
    seeds: await filesOf('test/fuzz/seeds', /\.parquet$/),
    reshape: parquetValues,
    words: wordsOf(
      'PAR1',
      'PARE',
      '\x15\x00',
      '\x15\x02',
      '\x19\x4c',
      '\x15\xfe\xff\xff\xff\x0f',
      'schema',
      '\x28\xb5\x2f\xfd',
    ),
    async read(bytes) {
      await readHere(bytes);
      await writeFile(file, bytes);
      await readAll(...readings(file, bytes));
    },
    readApart,
  };
};

async function readHere(body: Uint8Array): Promise<void> {
  try {
    const { names } = await readParquetColumns({ file: body, columns: [] });
    await readParquetColumns({ file: body, columns: names });
  } catch (cause) {
    throw new DataError({ file: 'input', expected: 'a Parquet file', found: damageOf(cause) });
  }
  await readTableBody({ body, inputs: INPUTS });
}
