/** Tests of npz in pieces: what is written is what jszip writes, and what is written in memory; what is read is what is read in memory, zip64 included. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import JSZip from 'jszip';
import { findNumpy, runPython } from '../../../../test/numpy.js';
import { temporaryDirectory } from '../../../../test/temporary-directory.js';
import { wholeOf } from '../../../federation/example-rows.js';
import { VALUE_ARRAYS } from '../../../federation/examples.js';
import { encodeNpy } from '../npy.js';
import { encodeNpz, openNpz } from '../npz.js';
import { openLargeNpz } from './npz-rows.js';
import { type ArrayInPieces, writeNpzInPieces } from './npz-writer.js';

const fixtures = fileURLToPath(new URL('../../../../../lib/formats/fixtures/npy/', import.meta.url));

/** Arrays of any length and type, cut anywhere. */
const anyArrays = fc
  .array(
    fc.record({
      dtype: fc.constantFrom('uint8', 'int32', 'float32', 'float64'),
      values: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
      cuts: fc.array(fc.nat({ max: 40 }), { maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((list) =>
    list.map(({ dtype, values, cuts }, at) => {
      const array = VALUE_ARRAYS[dtype].from(values);
      const borders = [
        0,
        ...cuts.map((cut) => Math.min(cut, array.length)).sort((a, b) => a - b),
        array.length,
      ];
      const name = ['x', 'x/größe', 'y', 'w'][at] as string;
      return { name, dtype, shape: [array.length, 1], values: array, borders };
    }),
  );
type AnyArray = (typeof anyArrays extends fc.Arbitrary<infer T> ? T : never)[number];

const inPieces = ({ borders, values, ...array }: AnyArray): ArrayInPieces => ({
  ...array,
  *pieces() {
    for (const [at, end] of borders.slice(1).entries()) yield values.subarray(borders[at], end);
  },
});

/** The archive as jszip makes it. */
function zipped(arrays: readonly AnyArray[]): Promise<Uint8Array> {
  const zip = new JSZip();
  const date = new Date(Date.UTC(1980, 0, 1));
  for (const { name, values, shape } of arrays)
    zip.file(`${name}.npy`, encodeNpy(values, shape), { date, createFolders: false });
  return zip.generateAsync({ type: 'uint8array', compression: 'STORE', platform: 'DOS' });
}

test('any arrays, cut anywhere, are written as they are written whole, and come back', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.npz');
  await fc.assert(
    fc.asyncProperty(anyArrays, async (arrays) => {
      const expected = await zipped(arrays);
      assert.deepEqual(await encodeNpz(arrays), expected);
      const sizeBytes = await writeNpzInPieces(path, arrays.map(inPieces));
      const bytes = await readFile(path);
      assert.deepEqual(new Uint8Array(bytes), expected);
      assert.equal(sizeBytes, bytes.length);
      const archive = await openLargeNpz(path, -1);
      assert.deepEqual(
        archive?.names,
        arrays.map(({ name }) => name),
      );
      for (const { name, shape, values } of arrays) {
        const rows = await archive?.rows(name);
        assert.deepEqual(rows?.shape, shape);
        assert.deepEqual(rows && (await wholeOf(rows)), values);
      }
    }),
    { numRuns: 40 },
  );
});

test('numbers of zip64 are written where they are needed, and read by jszip and by ourselves', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.npz');
  for (const largeFrom of [0, 300, 1000])
    await fc.assert(
      fc.asyncProperty(anyArrays, async (arrays) => {
        await writeNpzInPieces(path, arrays.map(inPieces), largeFrom);
        const whole = await openNpz(await readFile(path), path);
        const archive = await openLargeNpz(path, -1);
        for (const { name, values } of arrays) {
          const rows = await archive?.rows(name);
          assert.deepEqual(whole.read(name).values, values);
          assert.deepEqual(rows && (await wholeOf(rows)), values);
        }
      }),
      { numRuns: 10 },
    );
  const python = await findNumpy();
  if (python === undefined) return;
  const array = { name: 'x', dtype: 'int32', shape: [3], pieces: () => [Int32Array.of(1, 2, 3)] } as const;
  await writeNpzInPieces(path, [array, { ...array, name: 'y' }], 0);
  const read = 'import sys, numpy; d = numpy.load(sys.argv[1]); print(d["x"].tolist(), d["y"].tolist())';
  assert.equal((await runPython(python, read, [path])).trim(), '[1, 2, 3] [1, 2, 3]');
});

test('archives of numpy are read in pieces as they are read whole: every dtype, order of bytes and axes, deflated or not', async () => {
  const names = readdirSync(fixtures).filter((name) => name.endsWith('.npz'));
  let compared = 0;
  for (const name of names) {
    const whole = await openNpz(await readFile(join(fixtures, name)), name).catch(() => undefined);
    const archive = await openLargeNpz(join(fixtures, name), -1);
    for (const each of whole?.names ?? []) {
      const expected = (() => {
        try {
          return whole?.read(each);
        } catch (error) {
          return error as Error;
        }
      })();
      if (expected instanceof Error) {
        const tail = expected.message.replace(/^[^:]*: /, '');
        await assert.rejects(
          async () => await archive?.rows(each),
          (error: Error) => error.message.endsWith(tail),
        );
        continue;
      }
      const rows = await archive?.rows(each);
      assert.deepEqual([rows?.dtype, rows?.shape], [expected?.dtype, expected?.shape], `${name} ${each}`);
      assert.deepEqual(rows && (await wholeOf(rows)), expected?.values, `${name} ${each}`);
      compared++;
    }
  }
  assert.ok(compared > 5, `${compared} arrays compared`);
});

test('a byte that changed, and an end that is missing, are found', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.npz');
  const values = Float32Array.from({ length: 5000 }, (_, at) => at);
  const bytes = await encodeNpz([{ name: 'x', shape: [5000], values }]);
  const damaged = bytes.slice();
  damaged[10_000] = (damaged[10_000] as number) ^ 1;
  await writeFile(path, damaged);
  const all = async () => {
    const rows = await (await openLargeNpz(path, -1))?.rows('x');
    return rows && (await wholeOf(rows));
  };
  await assert.rejects(all, /a\.npz: expected array x to match its checksum, found damaged data\.$/);
  await writeFile(path, bytes.subarray(0, 9000));
  assert.equal(await openLargeNpz(path, -1), undefined, 'who reads it whole says what is wrong');
  assert.equal(await openLargeNpz(join(path, 'none'), -1), undefined);
});
