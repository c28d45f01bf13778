/** A round's training on this machine: the trainers of all clients, side by side within the machine's cores. */
import { z } from 'zod';

import { placeFileAtomic } from '../lib/formats/atomic-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import type { ClientRecord } from '../lib/formats/run-record.js';
import { engineArguments } from './engine-arguments.js';
import { count, type LocalRun, tell, tellSkipped } from './local-run.js';
import { holds, type RoundLedger } from './round-ledger.js';
import type { TrainTask } from './runner.js';
import { sharingCores } from './shared-cores.js';
import { type EngineNote, lastJsonLine, runStage } from './stage-process.js';
import { roundLearningRate, trainingArguments } from './training-task.js';

/** The last line that a trainer writes to stdout. */
const resultSchema = z.object({
  client: z.int(),
  round: z.int(),
  examples: z.int().positive(),
  seconds: z.number(),
  loss: z.number().nullable(),
  accuracy: z.number(),
  engine: z.string(),
  sha256: z.string(),
});

/** Trains the clients of a round that have not reported yet; every one is in the ledger afterwards. */
export async function trainStage(
  run: LocalRun,
  { task, data, ledger }: { readonly task: TrainTask; readonly data: Manifest; readonly ledger: RoundLedger },
): Promise<readonly ClientRecord[]> {
  const missing: number[] = [];
  for (const client of task.clients) {
    const isFinished = (await finishedTraining(run, { task, data, ledger, client })) !== undefined;
    if (!isFinished) missing.push(client);
  }
  const { length: all } = task.clients;
  const finished = all - missing.length;
  if (finished > 0) {
    const who = finished === all ? count(all, 'client') : `${finished} of ${count(all, 'client')}`;
    tellSkipped(run, { stage: 'train' }, `round ${task.round}: ${who}`);
  }
  const learningRate = roundLearningRate(run.settings, task);
  if (missing.length > 0) await ledger.set({ learningRate });
  await sharingCores(run, missing, async ({ client, signal }) => {
    const reported = await trainClient({ ...run, signal }, { task, data, client });
    await placeFileAtomic(run.paths.round(task.round).update(client), run.paths.clientModel(client));
    await ledger.report(reported);
    await run.metrics.append({ event: 'update', round: task.round, learningRate, ...reported });
  });
  return ledger.record.reported;
}

interface ClientTask {
  readonly task: TrainTask;
  readonly data: Manifest;
  readonly client: number;
}

/** What the client reported before, if its update and its shard are still the same files. */
async function finishedTraining(
  { paths }: LocalRun,
  { task, data, ledger, client }: ClientTask & { readonly ledger: RoundLedger },
): Promise<ClientRecord | undefined> {
  const reported = ledger.record.reported.find((each) => each.client === client);
  if (reported === undefined) return undefined;
  const isOfThisShard = reported.shard === data.shards[client]?.sha256;
  const isWhole = isOfThisShard && (await holds(paths.round(task.round).update(client), reported.sha256));
  return isWhole ? reported : undefined;
}

async function trainClient(run: LocalRun, { task, data, client }: ClientTask): Promise<ClientRecord> {
  const { paths, settings } = run;
  const { model } = settings;
  const stage = {
    stage: 'train' as const,
    client,
    program: 'trainer/cli.js',
    arguments: [
      ...['--data', paths.shard(client)],
      ...['--init', task.global.file],
      ...['--savemodel', paths.round(task.round).update(client)],
      ...['--model', model.name],
      ...trainingArguments(settings, roundLearningRate(settings, task)),
      ...['--client', `${client}`],
      ...['--round', `${task.round}`],
      ...['--seed', `${settings.seed}`],
      ...['--threads', `${run.threads}`],
      ...engineArguments(settings.engine),
    ],
  };
  const { examples, seconds, loss, accuracy, engine, sha256 } = lastJsonLine(
    stage,
    await runStage(stage, { ...run, onEngine: (note) => tellEngine(run, note) }),
    resultSchema,
  );
  const shard = data.shards[client]?.sha256 ?? '';
  return { client, examples, seconds, loss, accuracy, engine, shard, sha256 };
}

/** Says what the trainers run on; once, as long as it is the same for all. */
function tellEngine(run: LocalRun, { engine, why }: EngineNote): void {
  if (run.toldEngines.has(engine)) return;
  run.toldEngines.add(engine);
  tell(run, { stage: 'train' }, `on ${engine} (${why})`);
}
