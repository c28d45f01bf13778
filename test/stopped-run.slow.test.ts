/** The signals that test/run.test.ts leaves out; each run resumes where the one before it was stopped. */
import { join } from 'node:path';
import { test } from 'node:test';
import { writeTinyDataset } from './datasets.js';
import { requireStopped } from './stopped-run.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const settings = ['--model', 'mlp', '--batch', '20', '--jobs', '2', '--threads', '1'];

for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} to a run stops everything, says how to go on, and loses nothing that is finished`, async () => {
    const data = ['--data', await writeTinyDataset(directory)];
    await requireStopped(join(directory, 'stopped'), [...data, ...settings], signal);
  });
}
