/** A simulation that is stopped while it trains. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runningWith } from './processes.js';
import { commandOf, startRun, waitFor } from './runs.js';

/** A simulation that takes minutes, and its simulator once it trains. */
export async function longSimulation(
  volume: string,
  settings: readonly string[],
  format: 'human' | 'json' = 'human',
) {
  const long = ['--model', 'mlp', '--epochs', '20000', '--simulate', '--jobs', '2', '--log-format', format];
  const run = startRun(volume, [...settings, ...long]);
  let stderr = '';
  run.stderr.on('data', (text: Buffer) => {
    stderr += text;
  });
  let pid = 0;
  await waitFor(() => {
    [pid = 0] = runningWith('simulator/cli.js').filter((each) => commandOf(each).includes(volume));
    return pid !== 0 && existsSync(join(volume, 'rounds', '0001', 'round.json'));
  });
  // Said once the workers are ready for their first client; a log of JSON tells how far the clients are as well.
  const isTraining = { human: /^train +2 workers on onnx/m, json: /"event":"progress"[^\n]*"client":\d/ };
  await waitFor(() => isTraining[format].test(stderr));
  await sleep(300);
  return { run, simulator: pid };
}

/** A signal to all of its processes ends it, which says so. */
export async function requireStoppedSimulation(
  volume: string,
  settings: readonly string[],
  { signal, format }: { readonly signal: 'SIGINT' | 'SIGTERM'; readonly format: 'human' | 'json' },
): Promise<void> {
  const { run } = await longSimulation(volume, settings, format);
  process.kill(-(run.pid as number), signal);
  const { exitCode, stderr } = await run;
  assert.equal(exitCode, 130, stderr);
  const told = format === 'human' ? stderr : `error: ${JSON.parse(stderr.split('\n').at(-1) ?? '').msg}`;
  assert.match(
    told,
    /error: Interrupted\. What is finished stays in .*; the same command resumes from there\.$/,
  );
  await waitFor(() => runningWith(volume).length === 0);
}
