/** Tests of the clients' lists of examples: what is written is read, and what makes no sense is refused. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { heldOutIndices, shardIndices, virtualClients } from '../../federation/partition/client-holdout.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { encodeNpz } from './npz.js';
import { readPartition, writePartition } from './virtual-shards.js';

test('every list comes back as it was, whatever its length', async (t) => {
  const path = join(await temporaryDirectory(t), 'partition.npz');
  const list = fc.array(fc.nat({ max: 99 }), { minLength: 1, maxLength: 40 });
  const client = fc.record({ list, held: fc.array(fc.nat({ max: 99 }), { maxLength: 5 }) });
  const lists = fc.array(client, { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(lists, fc.boolean(), async (clients, holdOut) => {
      await writePartition(path, {
        shards: clients.map((each) => Uint32Array.from(each.list)),
        heldOut: holdOut ? clients.map((each) => Uint32Array.from(each.held)) : undefined,
      });
      const shards = await readPartition(path, 100);
      assert.equal(virtualClients(shards), clients.length);
      assert.equal(shards.heldOut !== undefined, holdOut);
      assert.deepEqual(
        clients.map((_, at) => [[...shardIndices(shards, at)], [...heldOutIndices(shards, at)]]),
        clients.map((each) => [each.list, holdOut ? each.held : []]),
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

test('held-out examples of other clients than there are, and ones that there are not, are refused', async (t) => {
  const path = join(await temporaryDirectory(t), 'partition.npz');
  const written = (heldOut: readonly number[][]) =>
    writePartition(path, {
      shards: [Uint32Array.of(0), Uint32Array.of(1)],
      heldOut: heldOut.map((each) => Uint32Array.from(each)),
    });
  await written([[2], [3], [2]]);
  await assert.rejects(readPartition(path, 4), {
    name: 'DataError',
    message: /expected 2 sizes in test_sizes, one for each client, found 3\./,
  });
  await written([[4], []]);
  await assert.rejects(readPartition(path, 4), { name: 'DataError', message: /found 4\./ });
});
