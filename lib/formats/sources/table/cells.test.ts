/** Tests of tables that are more than memory should hold: cells in a scratch file are those in memory, arrays in pieces those that are whole. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../../test/temporary-directory.js';
import { wholeOf } from '../../../federation/example-rows.js';
import type { NpyRows } from '../../data/npy.js';
import { ScratchFile } from '../../files/scratch-file.js';
import { findData } from '../registry.js';
import type { ReadData } from '../source-kind.js';
import { CellStore } from './cells.js';

test('cells come back in any order, from memory and from the scratch file, by chunks of any size', async (t) => {
  const directory = await temporaryDirectory(t);
  const columns = fc.array(fc.nat({ max: 4000 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(
      columns,
      fc.constantFrom(1, 3000),
      fc.constantFrom(0, 20_000, 1e9),
      (lengths, count, memory) => {
        const scratch = new ScratchFile(directory, memory);
        const store = new CellStore(count, scratch);
        const all = lengths.map((length, at) => ({
          length,
          cells: store.cells(at % 2 === 0 ? Float32Array : Float64Array),
        }));
        // Side by side, as the rows of a table come.
        for (let row = 0; row < Math.max(...lengths); row++)
          for (const [at, { length, cells }] of all.entries()) if (row < length) cells.add(row * 3 + at);
        for (const [at, { length, cells }] of all.entries())
          for (let row = length - 1; row >= 0; row -= 7) assert.equal(cells.at(row), row * 3 + at);
        for (const [at, { length, cells }] of all.entries()) {
          for (let row = 0; row < length; row++) assert.equal(cells.at(row), row * 3 + at);
        }
        scratch.close();
      },
    ),
    { numRuns: 25 },
  );
});

const arraysOf = async ({ arrays }: ReadData) => {
  const all = [];
  for (const name of arrays.names) {
    const rows = await arrays.rows(name);
    all.push([name, rows.shape, rows.dtype, await wholeOf(rows)]);
  }
  return all;
};

test('a table that does not fit in memory is the same in pieces, and leaves nothing on the disk', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'a.csv');
  const rows = Array.from({ length: 140_000 }, (_, at) => {
    const city = ['Bern', 'Basel', 'Chur'][at % 3];
    return `${at},${at / 7},${at % 11 === 0 ? '' : at},${city},${2000 + (at % 5)},${at % 4}`;
  });
  await writeFile(file, `a,b,holed,city,year,label\n${rows.join('\n')}\n`);
  const yaml = join(directory, 'data.yaml');
  await writeFile(
    yaml,
    `kind: table
source: a.csv
target: { column: label, as: labels }
test: { column: year, from: 2004 }
inputs:
  numbers: { columns: [b, a, holed] }
  city: { columns: [city], categories: all }
missing: { holed: drop }
`,
  );
  const found = await findData(yaml);
  const scratch = new ScratchFile(directory, 1000);
  const inPieces = await found?.read({ scratch });
  const whole = await found?.read({});
  assert.ok(inPieces !== undefined && whole !== undefined);
  assert.equal((await inPieces.arrays.rows('x_train/numbers')).values, undefined, 'it is in pieces');
  assert.deepEqual(await arraysOf(inPieces), await arraysOf(whole));
  assert.deepEqual(inPieces.facts, whole.facts);
  scratch.close();
  assert.deepEqual((await readdir(directory)).sort(), ['a.csv', 'data.yaml']);
  const checked = await found?.read({ leavesInputs: true });
  assert.ok(checked !== undefined);
  for (const name of checked.arrays.names) {
    const rows: NpyRows = await checked.arrays.rows(name);
    const other: NpyRows = await whole.arrays.rows(name);
    assert.deepEqual([rows.shape, rows.dtype], [other.shape, other.dtype]);
    if (/^y/.test(name)) assert.deepEqual(rows.values, other.values);
  }
});
