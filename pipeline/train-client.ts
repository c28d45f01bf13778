/** One client's training on this machine: a trainer process, and what it reports. */
import type { Manifest } from '../lib/formats/manifest.js';
import { type TrainResult, trainResultSchema } from '../lib/formats/results.js';
import type { ClientRecord } from '../lib/formats/run-record.js';
import { trainCommand } from './commands/stage-commands.js';
import { type LocalRun, tell } from './local-run.js';
import type { TrainTask } from './runner.js';
import {
  type EngineNote,
  lastJsonLine,
  runStage,
  type StageEnding,
  type StageTask,
  settleStage,
} from './stage-process.js';

/** One client's part of a round's training. */
export interface ClientTask {
  readonly task: TrainTask;
  readonly data: Manifest;
  readonly client: number;
}

/**
 * Trains one client: its update lies on the volume afterwards.
 *
 * @throws {StageError} when the training fails
 * @throws {InterruptedError} when the run's signal stopped it
 */
export type ClientTrainer = (run: LocalRun, task: ClientTask) => Promise<ClientRecord>;

/** Trains one client in a process of its own. */
export const trainInProcess: ClientTrainer = async (run, task) => {
  const stage = trainerStage(run, task);
  const lines = await runStage(stage, { ...run, onEngine: (note) => tellEngine(run, note) });
  return clientRecord(task, lastJsonLine(stage, lines, trainResultSchema));
};

/** Takes one client's training, which ended elsewhere, as {@link trainInProcess} takes its own. */
export function settleTraining(run: LocalRun, task: ClientTask, ending: StageEnding): ClientRecord {
  const stage = trainerStage(run, task);
  const lines = settleStage(stage, ending, { ...run, onEngine: (note) => tellEngine(run, note) });
  return clientRecord(task, lastJsonLine(stage, lines, trainResultSchema));
}

/** The trainer that a client is to be trained by. */
export function trainerStage(run: LocalRun, { task, client }: ClientTask): StageTask {
  return { ...trainCommand(run, task, client), rounds: run.settings.federation.rounds };
}

function clientRecord({ data, client }: ClientTask, result: TrainResult): ClientRecord {
  const { examples, seconds, loss, accuracy, engine, sha256 } = result;
  const shard = data.shards[client]?.sha256 ?? '';
  return { client, examples, seconds, loss, accuracy, engine, shard, sha256 };
}

/** Says what the trainers run on; once, as long as it is the same for all. */
function tellEngine(run: LocalRun, { engine, why }: EngineNote): void {
  if (run.toldEngines.has(engine)) return;
  run.toldEngines.add(engine);
  tell(run, { stage: 'train' }, `on ${engine} (${why})`);
}
