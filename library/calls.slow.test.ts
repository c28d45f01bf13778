/** The call of the library that makes many runs. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, runSeeds, ThresholdError } from 'fedbatch';
import { writeTinyDataset } from '../test/datasets.js';
import { sharedDirectory } from '../test/temporary-directory.js';

const directory = sharedDirectory();

test('a run is repeated with several seeds, each of which is an ordinary run', async () => {
  const data = await writeTinyDataset(directory);
  const again = {
    model: { name: 'mlp' },
    training: { epochs: 2, batch: 20 },
    seed: 3,
    dataset: { name: data },
    threads: 1,
    federation: { clients: 2, rounds: 1, simulate: true },
  } as const;
  const volume = join(directory, 'seeds');
  const { runs, figures } = await runSeeds({ ...again, volume, seeds: 2 });
  assert.deepEqual(
    runs.map(({ seed, volume: own }) => [seed, own]),
    [3, 4].map((seed) => [seed, join(volume, 'seeds', `${seed}`)]),
  );
  assert.equal((await run({ ...again, volume: runs[0]?.volume })).sha256, runs[0]?.sha256);
  assert.equal(figures.accuracy?.runs, 2);
  await assert.rejects(runSeeds({ ...again, volume, seeds: 2, minMetric: 'loss=0' }), ThresholdError);
});
