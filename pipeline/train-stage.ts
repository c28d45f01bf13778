/** A round's training on this machine: the selected clients side by side within its cores, as many as come through. */
import { requireQuorum } from '../lib/federation/quorum.js';
import { placeFileAtomic, removeFile, requirePlace } from '../lib/formats/files/atomic-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { type ClientRecord, rejectedClients } from '../lib/formats/run-record.js';
import { type TrainResult, trainResultSchema } from '../lib/formats/stage-results.js';
import { formatLoss, formatSeconds } from '../lib/observability/format.js';
import { isAggregated } from './aggregate-stage.js';
import { roundLearningRate, type StageCommand, trainCommand } from './commands/stage-commands.js';
import type { LocalRun } from './local-run.js';
import { holds, type RoundLedger } from './record/round-ledger.js';
import type { TrainOutcome, TrainTask } from './rounds/runner.js';
import { type EndedCommand, type EngineNote, type LostCommand, stageName } from './rounds/target.js';
import { count, tell, tellSkipped } from './rounds/telling.js';

interface TrainOptions {
  readonly task: TrainTask;
  readonly data: Manifest;
  readonly ledger: RoundLedger;
}

/**
 * Trains the clients of a round that have not reported yet; every one is in the ledger afterwards, as reported or as
 * missing. Who took part in a round that is aggregated is settled: nobody joins it later.
 *
 * @throws {StageError} when a client fails and the task has no quorum: all have to report then
 * @throws {ThresholdError} as soon as so many are missing that the quorum cannot be reached
 */
export async function trainStage(run: LocalRun, options: TrainOptions): Promise<TrainOutcome> {
  const { task, data, ledger } = options;
  const { round, clients } = task;
  const waiting = await unfinishedClients(run, options);
  // Who was lost, or was no good, in an attempt that came to no model is tried once more.
  const { aggregate, missing: lost, rejected } = ledger.record;
  if (aggregate === undefined && lost.length + rejected.length > 0)
    await ledger.set({ missing: [], rejected: [] });
  const finished = clients.length - waiting.length - ledger.record.missing.length;
  if (finished > 0) {
    const who = finished === clients.length ? '' : `${finished} of `;
    tellSkipped(run, { stage: 'train', round }, `${who}${count(clients.length, 'client')}`);
  }
  const learningRate = roundLearningRate(run.settings, task);
  if (waiting.length > 0) await ledger.set({ learningRate });
  const isOver = waiting.length > 0 && (await isAggregated(run, ledger));
  const settled = settledClients(run, { round, waiting: waiting.length, total: clients.length });
  const { retries, deadlineSeconds } = run.tolerance;
  const commands = waiting.map((client) => trainCommand(run, task, client));
  await run.target.execute(commands, {
    ...{ reporter: run.reporter, signal: run.signal, schema: trainResultSchema, retries, deadlineSeconds },
    onEngine: (note) => tellEngine(run, note),
    onRetry: (lost, retry) => tellRetry(run, lost, retry),
    async onEnding(ending) {
      if ('result' in ending) {
        const reported = clientRecord(data, ending);
        if (isOver && isOther(ledger, reported)) tellOther(run, { task, reported });
        else await report(run, { task, ledger, learningRate, reported });
        settled.add(reported);
      } else {
        await lose(run, { task, ledger, lost: ending });
        settled.add(undefined);
      }
    },
  });
  const { reported, missing } = ledger.record;
  if (waiting.length > 0) {
    const who = `${reported.length} of ${count(clients.length, 'client')} reported`;
    tell(run, { stage: 'train', round }, `${who}${settled.result()}`);
  }
  return { reported, missing };
}

/** Counts the clients of a round that have reported or are missing, for the reader. */
function settledClients(
  { reporter, settings }: Pick<LocalRun, 'reporter' | 'settings'>,
  { round, waiting, total }: { readonly round: number; readonly waiting: number; readonly total: number },
) {
  const startedAt = performance.now();
  const { rounds } = settings.federation;
  let left = waiting;
  const sums = { examples: 0, loss: 0 };
  const seconds = () => (performance.now() - startedAt) / 1000;
  const learned = () => (sums.examples === 0 ? {} : { loss: sums.loss / sums.examples });
  return {
    add(reported: ClientRecord | undefined): void {
      left--;
      if (reported !== undefined) {
        const { examples, loss } = reported;
        sums.examples += examples;
        sums.loss += examples * (loss ?? Number.NaN);
      }
      const secondsLeft = (left * seconds()) / (waiting - left);
      const part = { stage: 'train', round, rounds, unit: 'clients' } as const;
      reporter.progress({ ...part, ...learned(), done: total - left, total, secondsLeft });
    },
    /** What the training came to, for its line. */
    result(): string {
      const { loss } = learned();
      return `${loss === undefined ? '' : `, training loss ${formatLoss(loss)}`}  ${formatSeconds(seconds())}`;
    },
  };
}

async function unfinishedClients(
  run: LocalRun,
  { task, data, ledger }: TrainOptions,
): Promise<readonly number[]> {
  const { aggregate, missing, rejected } = ledger.record;
  const refused = new Set([...missing.map(({ client }) => client), ...rejectedClients(rejected)]);
  const unfinished: number[] = [];
  for (const client of task.clients) {
    if (refused.has(client)) {
      if (aggregate === undefined) unfinished.push(client);
      continue;
    }
    if (!(await isTrained(run, { task, data, ledger }, client))) unfinished.push(client);
  }
  return unfinished;
}

/** Whether the client reported before, and its update and its shard are still the same files. */
async function isTrained(
  { paths }: LocalRun,
  { task, data, ledger }: TrainOptions,
  client: number,
): Promise<boolean> {
  const reported = ledger.record.reported.find((each) => each.client === client);
  if (reported === undefined) return false;
  const isOfThisShard = reported.shard === data.shards[client]?.sha256;
  return isOfThisShard && (await holds(paths.round(task.round).update(client), reported.sha256));
}

function clientRecord(data: Manifest, { result }: EndedCommand<TrainResult>): ClientRecord {
  const { client, examples, seconds, loss, accuracy, engine, sha256, heldOut, epochs } = result;
  const shard = data.shards[client]?.sha256 ?? '';
  return { client, examples, seconds, loss, accuracy, engine, shard, sha256, heldOut, epochs };
}

/** Says what the trainers run on; once, as long as it is the same for all. */
function tellEngine(run: LocalRun, { engine, why }: EngineNote): void {
  if (run.toldEngines.has(engine)) return;
  run.toldEngines.add(engine);
  tell(run, { stage: 'train' }, `on ${engine} (${why})`);
}

/** Which client in which round a command trains: those of the training tell. */
function trained({ round, client }: StageCommand): { readonly round: number; readonly client: number } {
  if (round === undefined || client === undefined) throw new Error('a training without a client');
  return { round, client };
}

async function tellRetry(
  { reporter, metrics, tolerance }: LocalRun,
  { command, reason }: LostCommand,
  retry: number,
): Promise<void> {
  const { round, client } = trained(command);
  reporter.warn(`${stageName(command)}: ${reason}; trying again (${retry} of ${tolerance.retries}).`, {
    round,
    client,
  });
  await metrics.append({ event: 'retry', round, client, retry, reason });
}

/** Whether a client trained again on the same examples came to other bytes: on another engine or processor, say. */
function isOther({ record }: RoundLedger, { client, shard, sha256 }: ClientRecord): boolean {
  const known = record.reported.find((each) => each.client === client);
  return known !== undefined && known.shard === shard && known.sha256 !== sha256;
}

/** The update of a round that is over was damaged or written over: what is made in its place changes no record. */
function tellOther(
  { reporter }: LocalRun,
  { task: { round }, reported: { client } }: { readonly task: TrainTask; readonly reported: ClientRecord },
): void {
  const what = `train client ${client} (round ${round}): trained again, it came to other bytes than before`;
  reporter.warn(`${what}; the round was over, and stays what it was made from.`, { round, client });
}

interface Ending {
  readonly task: TrainTask;
  readonly ledger: RoundLedger;
}

async function report(
  { paths, metrics }: LocalRun,
  options: Ending & { readonly learningRate: number | undefined; readonly reported: ClientRecord },
): Promise<void> {
  const { task, ledger, learningRate, reported } = options;
  const { client } = reported;
  await placeFileAtomic(paths.round(task.round).update(client), paths.clientModel(client));
  await ledger.report(reported);
  await metrics.append({ event: 'update', round: task.round, learningRate, ...reported });
}

/** Records that a client is missing; throws when the round cannot go on without it. */
async function lose(
  { paths, reporter, metrics }: LocalRun,
  { task, ledger, lost }: Ending & { readonly lost: LostCommand },
): Promise<void> {
  const { round, clients: selected, quorum } = task;
  const { command, reason, error } = lost;
  const { client } = trained(command);
  // A trainer that was killed after its last write: what has not been reported must not be averaged.
  await requirePlace();
  // A directory in its place may be why the client is missing.
  await removeFile(paths.round(round).update(client));
  await ledger.lose({ client, reason });
  await metrics.append({ event: 'missing', round, client, reason });
  if (quorum === undefined && error !== undefined) throw error;
  const { missing } = ledger.record;
  requireQuorum({ round, selected, missing, quorum: quorum ?? selected.length });
  const left = `${selected.length - missing.length} of ${selected.length} clients are left, ${quorum} are needed`;
  reporter.warn(`${stageName(command)}: ${reason}; round ${round} continues without it (${left}).`, {
    round,
    client,
  });
}
