/** Tests of rows that are dealt by way of a scratch file: any rows, in any pieces, to any parts, through buckets of any size. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ExampleRows, type InputRows, wholeOf } from '../lib/federation/example-rows.js';
import { onlyTargets, takeRows, takeTargets, VALUE_ARRAYS } from '../lib/federation/examples.js';
import { writeShard, writeShardRows } from '../lib/formats/data/shard-file.js';
import { ScratchFile } from '../lib/formats/files/scratch-file.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { dealRows } from './dealt-rows.js';

const anyDeal = fc.record({
  dtype: fc.constantFrom('uint8', 'int32', 'float32', 'float64'),
  /** For each row the part that it goes to, beyond the last: none; and its place in the order in which parts take rows. */
  rows: fc.array(fc.tuple(fc.nat({ max: 4 }), fc.nat()), { minLength: 1, maxLength: 60 }),
  rowLength: fc.constantFrom(1, 3, 70),
  pieceRows: fc.integer({ min: 1, max: 20 }),
  bucketBytes: fc.constantFrom(1, 30, 300, 100_000),
});

function dealOf({
  dtype,
  rows,
  rowLength,
  pieceRows,
}: typeof anyDeal extends fc.Arbitrary<infer T> ? T : never) {
  const values = new VALUE_ARRAYS[dtype](rows.length * rowLength).map((_, at) => (at * 7) % 251);
  const shape = [rows.length, rowLength];
  const input: InputRows = {
    ...{ name: 'x', dtype, shape },
    async *pieces() {
      const length = pieceRows * rowLength;
      for (let at = 0; at < values.length; at += length) yield values.subarray(at, at + length);
    },
  };
  const parts = [0, 1, 2].map((part) => {
    const mine = [...rows.keys()].filter((row) => rows[row]?.[0] === part);
    return Uint32Array.from(mine.sort((a, b) => (rows[a]?.[1] ?? 0) - (rows[b]?.[1] ?? 0)));
  });
  return { input, parts, values, shape };
}

test('each part gets its rows in its order, whatever the pieces and the buckets', async (t) => {
  const directory = await temporaryDirectory(t);
  await fc.assert(
    fc.asyncProperty(anyDeal, async (deal) => {
      const { input, parts, values, shape } = dealOf(deal);
      const scratch = new ScratchFile(directory);
      try {
        let heard = 0;
        const { bucketBytes } = deal;
        const onRows = (rows: number) => {
          heard += rows;
        };
        const dealt = await dealRows(input, { parts, scratch, bucketBytes, onRows });
        for (const [k, part] of parts.entries()) {
          const expected = takeRows({ shape, values }, part);
          assert.deepEqual(dealt(k).shape, expected.shape);
          if (part.length > 0) assert.deepEqual(await wholeOf(dealt(k)), expected.values);
        }
        assert.equal(heard, shape[0]);
      } finally {
        scratch.close();
      }
    }),
    { numRuns: 60 },
  );
});

test('a shard that is written in pieces has the bytes of one that is written from memory', async (t) => {
  const directory = await temporaryDirectory(t);
  const [one, other] = [join(directory, 'one.npz'), join(directory, 'other.npz')];
  await fc.assert(
    fc.asyncProperty(anyDeal, async (deal) => {
      const { input, parts, values, shape } = dealOf(deal);
      const scratch = new ScratchFile(directory);
      try {
        const dealt = await dealRows(input, { parts, scratch, bucketBytes: deal.bucketBytes });
        const all = {
          targets: onlyTargets({ shape: [shape[0] as number], values: new Int32Array(shape[0] as number) }),
        };
        for (const [k, part] of parts.entries()) {
          if (part.length === 0) continue;
          const targets = takeTargets(all, part);
          const rows: ExampleRows = { inputs: [dealt(k)], targets };
          const written = await writeShardRows(one, rows, 0);
          const inputs = [{ name: 'x', ...takeRows({ shape, values }, part) }] as const;
          assert.deepEqual(written, await writeShard(other, { inputs, targets }));
          assert.deepEqual(await readFile(one), await readFile(other));
        }
      } finally {
        scratch.close();
      }
    }),
    { numRuns: 20 },
  );
});
