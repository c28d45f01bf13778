/** Runs that are killed anywhere, again and again, end with the bytes of a run that nothing disturbs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomStream } from '../lib/core/random.js';
import { writeTinyDataset } from './datasets.js';
import { isRunning, killedAt, runningWith } from './processes.js';
import { finishRun, type ResultLine, startRun, temporaryFiles, waitFor } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = await sharedDirectory();
const data = await writeTinyDataset(directory);
const SETTINGS = ['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1'];

/** What a result line says of the models. */
const outcome = ({ accuracy, best, sha256, participation }: ResultLine) => ({
  accuracy,
  best,
  sha256,
  participation,
});

for (const [what, flags] of Object.entries({
  'that selects its clients': ['--clients', '4', '--fraction', '0.5', '--rounds', '2'],
  'that is a simulation': [
    '--clients',
    '3',
    '--rounds',
    '2',
    '--strategy',
    'fedavgm',
    '--epochs',
    '60',
    '--simulate',
  ],
})) {
  test(`a run ${what}, killed after random times`, async () => {
    const settings = [...SETTINGS, ...flags];
    const whole = join(directory, `${flags.length}-whole`);
    const expected = await finishRun(whole, settings);
    const volume = join(directory, `${flags.length}-killed`);
    const random = randomStream(Date.now(), 'kill');
    const lifetimes: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const run = startRun(volume, settings);
      const lifetimeMs = 300 + Math.round(random.uniform() * 3500);
      lifetimes.push(lifetimeMs);
      await Promise.race([sleep(lifetimeMs), run]);
      if (run.pid !== undefined && isRunning(run.pid)) process.kill(-run.pid, 'SIGKILL');
      await run;
      await waitFor(() => runningWith(volume).length === 0);
    }
    const line = await finishRun(volume, settings);
    assert.deepEqual(outcome(line), outcome(expected), `killed after ${lifetimes.join(', ')} ms`);
    const best = (of: string) => readFileSync(join(of, 'best-model.h5'));
    assert.ok(best(volume).equals(best(whole)));
    assert.deepEqual(temporaryFiles(volume), []);
  });
}

const SCAFFOLD = [
  ...SETTINGS,
  ...[
    '--strategy',
    'scaffold',
    '--optimizer',
    'sgd',
    '--momentum',
    '0',
    '--learning-rate',
    '0.05',
    '--epochs',
    '1',
  ],
  ...['--clients', '4', '--fraction', '0.5', '--rounds', '3'],
];

test('SCAFFOLD: clients go on from what they kept, whichever program is killed, here and simulated', async () => {
  const whole = join(directory, 'scaffold');
  await finishRun(whole, SCAFFOLD);
  const results = [2, 3, 4].flatMap((round) =>
    ['global.h5', 'server-state.h5'].map((name) => join('rounds', `000${round}`, name)),
  );
  for (const { program, path, flags } of [
    { program: 'trainer/cli.js', path: 'rounds/0003/updates', flags: [] },
    { program: 'aggregator/cli.js', path: 'rounds/0004/global\\.h5$', flags: [] },
    { program: 'simulator/cli.js', path: 'rounds/0004/global\\.h5$', flags: ['--simulate'] },
  ]) {
    const volume = join(directory, `scaffold-${program.replace('/cli.js', '')}`);
    if (flags.length === 0) {
      // The third round again: what killed processes leave, then a run that nothing disturbs.
      await cp(whole, volume, { recursive: true });
      for (const made of ['0003/updates', '0003/round.json', '0004'])
        await rm(join(volume, 'rounds', made), { recursive: true });
    }
    const settings = [...SCAFFOLD, ...flags];
    const first = await startRun(volume, settings, killedAt({ program, path, before: 1 }));
    assert.notEqual(first.exitCode, 0, program);
    await finishRun(volume, settings);
    for (const file of results)
      assert.ok(
        readFileSync(join(volume, file)).equals(readFileSync(join(whole, file))),
        `${file}, ${program}`,
      );
  }
});
