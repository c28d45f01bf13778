/** A run that a signal stops while it trains. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runningWith } from './processes.js';
import { eventsOf, startRun, temporaryFiles, trainingFor, waitFor } from './runs.js';

/** A run of the `flags` leaves nothing but what is finished, and tells how it ended: SIGINT comes to all of its processes. */
export async function requireStopped(
  volume: string,
  flags: readonly string[],
  signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP',
): Promise<void> {
  const run = startRun(volume, [...flags, '--epochs', '3000', '--rounds', '1', '--clients', '2']);
  await waitFor(() => trainingFor(volume).length === 2);
  await sleep(300);
  const { pid = 0 } = run;
  process.kill(signal === 'SIGINT' ? -pid : pid, signal);
  const { exitCode, stderr, stdout } = await run;
  assert.equal(exitCode, 130, stderr);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /error: Interrupted\. What is finished stays in \S*stopped; the same command resumes from there\./,
  );
  assert.deepEqual(runningWith(volume), [], 'no orphans');
  assert.ok(existsSync(join(volume, 'data', 'manifest.json')));
  assert.deepEqual(temporaryFiles(volume), []);
  assert.equal(existsSync(join(volume, '.lock')), false);
  const failure = eventsOf(volume, 'failure').at(-1);
  assert.deepEqual([failure?.stage, failure?.round, failure?.exitCode], ['train', 1, 130]);
  assert.match(
    await readFile(join(volume, 'report.html'), 'utf8'),
    /Failed: train in round 1\..*Exit code 130/,
  );
}
