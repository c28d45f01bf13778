/** Runs one trial as anybody would, `fedbatch run --simulate`, with the attackers among its clients, and reads what it came to. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { oddUpdates } from '../../lib/federation/odd-updates.js';
import { readRoundRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { readCurve } from '../fedavg/attempt.js';
import { program } from '../section.js';
import { type Attackers, attackersOf } from './attacks.js';
import { CLIENTS, runArguments, type Trial } from './trials.js';

/** What a trial came to. */
export interface Outcome extends Trial {
  /** Of the last global model on the test images. */
  readonly accuracy: number | null;
  /** Rounds that have a global model; fewer than all where the run failed. */
  readonly rounds: number;
  /** Exit code of the run. */
  readonly exitCode: number;
  /** Share of test images with the square that the last model takes for the backdoor's label. */
  readonly backdoor?: number;
  /** Share of the updates that are told as unlike the others: of attackers, and of honest clients. */
  readonly unlike?: { readonly attackers: number | null; readonly honest: number | null };
  readonly seconds: number;
}

/** Where a trial finds and leaves things. */
interface Place {
  readonly data: string;
  /** Where its run goes; nothing lies there before. */
  readonly volume: string;
  /** The test of backdoors. */
  readonly backdoorTest: string;
  readonly signal: AbortSignal;
}

/** Runs a trial. @throws where it ended in a way that no attack explains */
export async function runTrial(
  trial: Trial,
  { data, volume, backdoorTest, signal }: Place,
): Promise<Outcome> {
  const startedAt = performance.now();
  const { attack, share, seed } = trial;
  const clients = attackersOf({ clients: CLIENTS, share, seed });
  const attackers: Attackers = { attack, clients, seed };
  const hook = new URL('./poisoned-clients.js', import.meta.url).href;
  const run = await execa(
    process.execPath,
    [program('cli'), ...runArguments(trial, data), '--jobs', '1', '--volume', volume],
    {
      env: { NODE_OPTIONS: `--import=${hook}`, FEDBATCH_BENCH_ATTACKERS: JSON.stringify(attackers) },
      reject: false,
      cancelSignal: signal,
    },
  );
  signal.throwIfAborted();
  const { exitCode = 1 } = run;
  if (!EXPLAINED.includes(exitCode)) throw new Error(`the run ended with ${exitCode}:\n${run.stderr}`);
  const paths = volumePaths(volume);
  const curve = await readCurve(volume, 'accuracy');
  const hasBackdoor = exitCode === 0 && (attack === 'none' || attack === 'backdoor');
  return {
    ...trial,
    accuracy: curve.at(-1)?.value ?? null,
    rounds: curve.length,
    exitCode,
    ...(hasBackdoor ? { backdoor: await accuracyOf(paths.aggregatedModel, backdoorTest, volume) } : {}),
    unlike: await unlikeOf(volume, { rounds: curve.length, clients }),
    seconds: Math.round((performance.now() - startedAt) / 1000),
  };
}

/** Done; a model that nothing can be computed with; too few updates for the quorum or the strategy; a stage that failed. */
const EXPLAINED: readonly number[] = [0, 3, 4, 5];

async function accuracyOf(model: string, data: string, folder: string): Promise<number> {
  const out = join(folder, 'backdoor.json');
  await execa(process.execPath, [
    ...[program('cli'), 'evaluate', '--model', model, '--data', data, '--out', out],
    ...['--threads', '1'],
  ]);
  const { accuracy } = JSON.parse(await readFile(out, 'utf8')) as { readonly accuracy: number };
  return accuracy;
}

/** Which updates of all rounds a person is told of. */
async function unlikeOf(
  volume: string,
  { rounds, clients }: { readonly rounds: number; readonly clients: readonly number[] },
): Promise<NonNullable<Outcome['unlike']>> {
  const counts = { attackers: { told: 0, all: 0 }, honest: { told: 0, all: 0 } };
  for (let round = 1; round <= rounds; round++) {
    const { reported } = await readRoundRecord(volumePaths(volume).round(round).record);
    const measured = reported.filter(({ norm }) => norm !== undefined);
    const told = new Set(oddUpdates(measured).map(({ client }) => client));
    for (const { client } of measured) {
      const side = clients.includes(client) ? counts.attackers : counts.honest;
      side.all++;
      if (told.has(client)) side.told++;
    }
  }
  const share = ({ told, all }: { readonly told: number; readonly all: number }) =>
    all === 0 ? null : told / all;
  return { attackers: share(counts.attackers), honest: share(counts.honest) };
}
