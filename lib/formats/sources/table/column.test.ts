/** Tests of columns: cells that are added many at a time come to the same as cells that are added one by one. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parquetMetadataAsync } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { Column, type ColumnCopy, type ColumnNeed } from './column.js';
import { addPart, type ParquetPart, readParquetColumns } from './parquet-columns.js';

const anyNeed = fc.record({
  as: fc.constantFrom<ColumnNeed['as']>('auto', 'number', 'text', 'time'),
  keep: fc.constantFrom<ColumnNeed['keep']>('cells', 'exact cells'),
  vocabulary: fc.constantFrom(undefined, ['a', '1']),
});
/** Cells of one kind that come together: numbers, NaN for none, or places in TEXTS. */
const anyPiece = fc.oneof(
  fc
    .array(fc.constantFrom(0, 1, -0, 2.5, 1e300, Number.NaN), { maxLength: 6 })
    .map((list) => Float64Array.from(list)),
  fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 6 }).map((list) => Int32Array.from(list)),
);
const TEXTS = ['a', 'b', '', '2015-06-01'];

test('numbers and texts in pieces leave a column as single values do', () => {
  fc.assert(
    fc.property(anyNeed, fc.array(anyPiece, { maxLength: 6 }), (need, pieces) => {
      const [one, other] = [new Column('c', need), new Column('c', need)];
      for (const column of [one, other]) column.begin('file', 'row');
      let row = 1;
      for (const piece of pieces) {
        if (piece instanceof Int32Array) one.addTexts(piece, TEXTS, row);
        else if (!one.addNumbers(piece, row))
          for (const [at, value] of piece.entries()) one.addValue(value, row + at);
        for (const value of piece) other.addValue(piece instanceof Int32Array ? TEXTS[value] : value, row++);
      }
      assert.deepEqual({ ...one }, { ...other });
      for (let at = 0; at < row - 1; at++) assert.ok(Object.is(one.at(at), other.at(at)), `row ${at}`);
    }),
    { numRuns: 300 },
  );
});

test('a copy that counts in another process finds what the column would have found', () => {
  const counting = anyNeed.map((need): ColumnNeed => ({ ...need, keep: 'nothing' }));
  fc.assert(
    fc.property(counting, fc.array(anyPiece, { maxLength: 6 }), fc.nat(6), (need, pieces, before) => {
      const [one, other] = [new Column('c', need), new Column('c', need)];
      for (const column of [one, other]) column.begin('file', 'row');
      let row = 0;
      const add = (piece: (typeof pieces)[number], column: Column) => {
        const texts = piece instanceof Int32Array ? { texts: TEXTS } : {};
        addPart(column, { row, values: piece, ...texts });
      };
      // Those of a file before, and then those of the one that is read elsewhere.
      let copy = one;
      for (const [at, piece] of pieces.entries()) {
        if (at === before) copy = Column.fromCopy(structuredClone(one.copyToCount() as ColumnCopy));
        add(piece, copy);
        add(piece, other);
        row += piece.length;
      }
      one.take(structuredClone({ ...copy }));
      assert.deepEqual({ ...one }, { ...other });
    }),
    { numRuns: 300 },
  );
  assert.equal(new Column('c', { as: 'auto', keep: 'cells' }).copyToCount(), undefined);
});

test('columns of Parquet files that may have gaps come in typed arrays, with NaN for a gap and texts by their numbers', async () => {
  const file = new URL('../../../../../lib/formats/fixtures/parquet/snappy.parquet', import.meta.url);
  const bytes = await readFile(fileURLToPath(file));
  const columns = ['small', 'long', 'single', 'double', 'word', 'coded'];
  const parts: ParquetPart[] = [];
  await readParquetColumns({ file: bytes, columns }, async (part) => void parts.push(structuredClone(part)));
  const kinds = columns.map((_, at) => {
    const mine = parts.filter(({ column }) => column === at);
    return new Set(mine.map(({ values, texts }) => [values.constructor.name, texts?.join()].join(' ')));
  });
  assert.deepEqual(
    kinds.map((each) => [...each]),
    [
      ['Int32Array '],
      ['Float64Array '],
      ['Float32Array '],
      ['Float64Array '],
      ['Int32Array ä,b,c,d', 'Int32Array b,c,d,ä', 'Int32Array c,d,ä,b'],
      ['Int32Array red,blue,green'],
    ],
  );
  const [first] = parts.filter(({ column }) => columns[column] === 'double');
  assert.deepEqual(
    [...((first?.values ?? []) as Float64Array).entries()].filter(([, value]) => Number.isNaN(value)),
    [[7, Number.NaN]],
  );
});

test('a place that a dictionary lacks, and pages of more values than their row group has rows, are refused', async () => {
  const file = new URL('../../../../../lib/formats/fixtures/parquet/none.parquet', import.meta.url);
  const bytes = await readFile(fileURLToPath(file));
  const { row_groups } = await parquetMetadataAsync(Uint8Array.from(bytes).buffer);
  const meta = row_groups[0]?.columns.find(
    ({ meta_data }) => meta_data?.path_in_schema[0] === 'word',
  )?.meta_data;
  const reader = {
    view: new DataView(Uint8Array.from(bytes).buffer),
    offset: Number(meta?.data_page_offset),
  };
  const { compressed_page_size: size, data_page_header: header } = parquetHeader(reader);
  assert.equal(header?.num_values, 16);
  // The last of the page: four places of three texts, each of two bits.
  const other = Uint8Array.from(bytes).fill(255, reader.offset + size - 1, reader.offset + size);
  const read = (changed: Uint8Array) => readParquetColumns({ file: changed, columns: ['word'] });
  await assert.rejects(read(other), /^Error: the place 3 in a dictionary of 3 values$/);
  // A structure that begins with 16, zigzag: the number of values is made 17.
  const more = Uint8Array.from(bytes);
  more[bytes.indexOf(Buffer.of(0x2c, 0x15, 32), Number(meta?.data_page_offset)) + 2] = 34;
  await assert.rejects(read(more), /^Error: more values than 16 rows in column word$/);
});
