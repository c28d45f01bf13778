/** Starts `fedbatch run` as users do, watches its trainers from outside, and stops it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { type RoundRecord, readRoundRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { runningWith } from './processes.js';
import { runCommand, type Training } from './program-host.js';
import { type Finished, programPath } from './programs.js';
import { requireValid } from './results.js';

/** What the JSON line of a run says, as far as tests read it. */
export interface ResultLine {
  readonly accuracy: number;
  readonly rounds: number;
  readonly stopped: string;
  readonly targetReached?: boolean;
  readonly roundsToTarget?: number;
  readonly best: { readonly round: number; readonly accuracy: number; readonly sha256: string };
  readonly participation: { readonly selected: number; readonly missing: number; readonly rejected: number };
  readonly privacy?: { readonly epsilon: number };
  readonly sha256: string;
}

/** A run that is to end with a JSON line, in a process group of its own; its failure is a result. */
export function startRun(volume: string, flags: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return execa(process.execPath, [programPath('cli'), 'run', '--volume', volume, '--json', ...flags], {
    reject: false,
    detached: true,
    cleanup: false,
    env,
  });
}

/** Runs to the end in a process that stays; its failure is a result. `train` trains in the place of trainers. */
export function endRun(volume: string, flags: readonly string[], train?: Training): Promise<Finished> {
  return runCommand('run', ['--volume', volume, '--json', ...flags], train === undefined ? {} : { train });
}

/** The same; signals strike the first trainers of some clients, just before their updates are on the disk. */
export function endStruckRun(
  volume: string,
  flags: readonly string[],
  struck: Readonly<Record<number, 'SIGKILL' | 'SIGSTOP'>>,
): Promise<Finished> {
  const stages = Object.entries(struck).map(([client, signal]) => ({
    client: Number(client),
    program: 'trainer/cli.js',
    path: `updates/${client}\\.h5`,
    before: 1,
    signal,
  }));
  return runCommand('run', ['--volume', volume, '--json', ...flags], { struck: stages });
}

/** Runs to the end and returns the JSON line; fails unless the exit code is 0. */
export async function finishRun(
  volume: string,
  flags: readonly string[],
  train?: Training,
): Promise<ResultLine & { readonly stderr: string }> {
  const { exitCode, stdout, stderr } = await endRun(volume, flags, train);
  assert.equal(exitCode, 0, stderr);
  return { ...(JSON.parse(stdout) as ResultLine), stderr };
}

/** A command line, its words ended by zero bytes; empty once the process is gone. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** One client's training in a round. */
export interface Turn {
  readonly round: number;
  readonly client: number;
}

/** The processes that train clients of the run on a volume, and whom. */
export function trainingFor(volume: string): readonly (Turn & { readonly pid: number })[] {
  return runningWith(volume).flatMap((pid) => {
    const [, client, round] = /^fedbatch train client (\d+) round (\d+) /.exec(commandOf(pid)) ?? [];
    return client === undefined ? [] : [{ pid, client: Number(client), round: Number(round) }];
  });
}

/** A round's record. */
export function roundOf(volume: string, round: number): Promise<RoundRecord> {
  return readRoundRecord(volumePaths(volume).round(round).record);
}

/** The events in a run's metrics.jsonl that have this name; fails unless all of them are as docs/schemas says. */
export function eventsOf(volume: string, name: string): readonly Readonly<Record<string, unknown>>[] {
  const events = readFileSync(join(volume, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const event of events) requireValid('metrics-event', event);
  return events.filter(({ event }) => event === name);
}

/** Files on a volume that were never finished. */
export function temporaryFiles(volume: string): readonly string[] {
  return readdirSync(volume, { recursive: true })
    .map(String)
    .filter((path) => path.includes('.tmp-'));
}

/** Waits until something holds. */
export async function waitFor(holds: () => boolean, timeoutMs = 180_000): Promise<void> {
  const until = Date.now() + timeoutMs;
  while (!holds()) {
    assert.ok(Date.now() < until, 'waited in vain');
    await sleep(50);
  }
}

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
