/** A round's aggregation on this machine: the updates of the clients that reported become the next global model. */

import { placeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import {
  type AggregateResult,
  aggregateResultSchema,
  type Rejection,
  rejectionSchema,
} from '../lib/formats/stage-results.js';
import { aggregateCommand, stateFiles } from './commands/stage-commands.js';
import type { LocalRun } from './local-run.js';
import { concludeAggregation, failAggregation, tellAggregated } from './record/aggregate-record.js';
import { holds, type RoundLedger } from './record/round-ledger.js';
import type { FinishedRecord } from './record/settled-rounds.js';
import { rejectedUpdates } from './rounds/outcomes.js';
import type { AggregateOutcome, AggregateTask, ClientResult, GlobalModel } from './rounds/runner.js';
import { executeOne } from './rounds/target.js';
import { stopwatch } from './rounds/telling.js';

/**
 * Aggregates the updates of a round into the model that the next one starts from, unless that lies there and was made
 * from the same ones. Rejected updates are recorded, also when they make the round fail.
 *
 * @throws {StageError} when the aggregator fails, or finds fewer valid updates than the quorum
 */
export async function aggregateStage(
  run: LocalRun,
  { task, ledger }: { readonly task: AggregateTask; readonly ledger: RoundLedger },
): Promise<AggregateOutcome> {
  const { paths } = run;
  const { round, global, updates } = task;
  const { selected } = ledger.record;
  // Whether there will be a next round is open: its accuracy may be enough.
  const file = paths.round(round + 1).globalModel;
  const inputs = hashOfInputs(global, updates);
  const { aggregate: earlier } = ledger.record;
  if (earlier?.inputs === inputs && (await isAggregated(run, ledger))) {
    tellAggregated(run, round, earlier);
    return { file, sha256: earlier.sha256, rejected: ledger.record.rejected };
  }
  // A round that went on under its quorum before does so again, whatever quorum later rounds have.
  const before = earlier?.inputs === inputs ? earlier.updates : updates.length;
  const minUpdates = Math.min(task.quorum ?? updates.length, before);
  const aggregator = aggregateCommand(
    run,
    { round, clients: selected, global },
    { minUpdates, record: paths.round(round).record },
  );
  const warned: Rejection[] = [];
  const onWarning = (fields: unknown) => {
    const rejection = rejectionSchema.safeParse(fields);
    if (rejection.success) warned.push(rejection.data);
  };
  const options = { ...run, schema: aggregateResultSchema, onWarning };
  const aggregating = async (): Promise<AggregateResult> => {
    const once = () => executeOne(run.target, aggregator, options);
    const isRestored = async () => warned.length > 0 && (await restoreReported(run, ledger));
    const again = () => {
      warned.length = 0;
      return once();
    };
    try {
      const made = await once();
      return (await isRestored()) ? await again() : made;
    } catch (error) {
      if (await isRestored()) return await again();
      throw error;
    }
  };
  const {
    result: made,
    seconds,
    took,
  } = await stopwatch(aggregating).catch((error: unknown) =>
    failAggregation(run, { ledger, rejected: rejectedUpdates(warned, selected), error }),
  );
  const { rejected: refusals, clients, ...summary } = made;
  const facts = { inputs, ...summary, seconds };
  const refused = rejectedUpdates(refusals, selected);
  return await concludeAggregation(run, { ledger, facts, rejected: refused, clients, file, took });
}

/** Whether a round's model was made from the updates on its record, and these from the shards of these data. */
export function isMadeOfUpdates(
  { parent, reported, aggregate }: FinishedRecord,
  { shards }: Manifest,
): boolean {
  return (
    aggregate.inputs === hashOfInputs({ sha256: parent }, reported) &&
    reported.every(({ client, shard }) => shard === shards[client]?.sha256)
  );
}

/** Whether the model that the round ended with lies there whole, with the state that belongs to it. */
export async function isAggregated(run: LocalRun, ledger: RoundLedger): Promise<boolean> {
  const { round, aggregate } = ledger.record;
  if (aggregate === undefined) return false;
  const state = stateFiles(run, round);
  return (
    (await holds(run.paths.round(round + 1).globalModel, aggregate.sha256)) &&
    (state === undefined || (await holds(state.out, aggregate.state)))
  );
}

/**
 * Puts back the updates that are no longer what their clients reported: a trainer of an earlier attempt may have been
 * halted, and write late. What was reported is known by its hash, and lies under a second name that no trainer writes.
 * Tells whether there was such an update.
 */
async function restoreReported(
  { paths, reporter }: Pick<LocalRun, 'paths' | 'reporter'>,
  ledger: RoundLedger,
): Promise<boolean> {
  const { round, reported } = ledger.record;
  const restored: number[] = [];
  for (const { client, sha256: known } of reported) {
    const update = paths.round(round).update(client);
    const kept = paths.clientModel(client);
    if ((await holds(update, known)) || !(await holds(kept, known))) continue;
    await placeFileAtomic(kept, update);
    restored.push(client);
  }
  if (restored.length === 0) return false;
  const whose = `${restored.length === 1 ? 'client' : 'clients'} ${restored.join(', ')}`;
  reporter.warn(
    `round ${round}: somebody has written over the update of ${whose} since it was reported: it is put back, and the ` +
      'round aggregated again.',
    { round },
  );
  return true;
}

/** What a global model was made from: sha256 over the hashes of the parent and of all updates. */
export function hashOfInputs(
  global: Pick<GlobalModel, 'sha256'>,
  updates: readonly Pick<ClientResult, 'client' | 'sha256'>[],
): string {
  const sorted = [...updates].sort((a, b) => a.client - b.client);
  return sha256(JSON.stringify([global.sha256, ...sorted.map((update) => update.sha256)]));
}
