/** Tests of the clients' lists of examples: what is written is read, and what makes no sense is refused. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { shardIndices, virtualClients } from '../../federation/examples.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { encodeNpz } from './npz.js';
import { readPartition, writePartition } from './virtual-shards.js';

test('every list comes back as it was, whatever its length', async (t) => {
  const path = join(await temporaryDirectory(t), 'partition.npz');
  const list = fc.array(fc.nat({ max: 99 }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(fc.array(list, { minLength: 1, maxLength: 12 }), async (lists) => {
      await writePartition(
        path,
        lists.map((each) => Uint32Array.from(each)),
      );
      const shards = await readPartition(path, 100);
      assert.equal(virtualClients(shards), lists.length);
      assert.deepEqual(
        lists.map((_, client) => [...shardIndices(shards, client)]),
        lists,
      );
    }),
    { numRuns: 30 },
  );
});

const FAULTS: Readonly<Record<string, readonly [indices: number[], sizes: number[], message: RegExp]>> = {
  'an example that there is not': [[0, 1, 4], [2, 1], /expected indices below 4, .*, found 4\./],
  'a negative one': [[0, -1, 2], [2, 1], /found -1\./],
  'a client without examples': [
    [0, 1],
    [2, 0],
    /expected at least one example for each client, found 0 for client 1\./,
  ],
  'sizes that do not add up': [[0, 1, 2], [2, 2], /expected 3 indices .*, found sizes that sum to 4\./],
  'no clients': [[], [], /expected 0 indices/],
};

for (const [what, [indices, sizes, message]] of Object.entries(FAULTS)) {
  test(`${what} is refused`, async (t) => {
    const path = join(await temporaryDirectory(t), 'partition.npz');
    const arrays = { indices: Int32Array.from(indices), sizes: Int32Array.from(sizes) };
    const named = Object.entries(arrays).map(([name, values]) => ({ name, shape: [values.length], values }));
    await writeFileAtomic(path, await encodeNpz(named));
    await assert.rejects(readPartition(path, 4), { name: 'DataError', message });
  });
}
