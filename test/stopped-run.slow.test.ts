/** The signals that test/run.test.ts and test/simulation.test.ts leave out. */
import { join } from 'node:path';
import { test } from 'node:test';
import { writeTinyDataset } from './datasets.js';
import { requireStoppedSimulation } from './long-simulation.js';
import { requireStopped } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const settings = ['--model', 'mlp', '--batch', '20', '--jobs', '2', '--threads', '1'];

for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} to a run stops everything, says how to go on, and loses nothing that is finished`, async () => {
    const data = ['--data', await writeTinyDataset(directory)];
    await requireStopped(join(directory, 'stopped'), [...data, ...settings], signal);
  });
}

test('SIGTERM to a simulation stops its workers, and says so in a log of JSON', async () => {
  const data = ['--data', await writeTinyDataset(directory, 108), '--clients', '3', '--threads', '1'];
  await requireStoppedSimulation(join(directory, 'simulated'), data, { signal: 'SIGTERM', format: 'json' });
});
