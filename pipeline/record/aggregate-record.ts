/** The end of a round's aggregation, whoever did the work: the new global model takes its place, on record and told. */

import { StageError } from '../../lib/core/errors.js';
import { formatPrivacy } from '../../lib/federation/privacy/privacy-record.js';
import { placeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import type { ClientRecord, RoundRecord } from '../../lib/formats/run-record.js';
import type { AggregateResult } from '../../lib/formats/stage-results.js';
import type { LocalRun } from '../local-run.js';
import { withoutMissing } from '../rounds/outcomes.js';
import type { AggregateOutcome, RejectedUpdate } from '../rounds/runner.js';
import { describeAggregate, tell, tellSkipped } from '../rounds/telling.js';
import type { RoundLedger } from './round-ledger.js';

/** What round.json says of an aggregation. */
type AggregateFacts = NonNullable<RoundRecord['aggregate']>;

/** An aggregation that has just made its model. */
interface FinishedAggregation {
  readonly ledger: RoundLedger;
  readonly facts: AggregateFacts;
  readonly rejected: readonly RejectedUpdate[];
  /** What was found of the updates. */
  readonly clients: AggregateResult['clients'];
  /** The new global model. */
  readonly file: string;
  /** How long it took, in words. */
  readonly took: string;
}

const STAGE = { stage: 'aggregate' } as const;

/** Makes the model the newest of the run, and records and tells what it was made from. */
export async function concludeAggregation(
  run: Pick<LocalRun, 'paths' | 'metrics' | 'reporter'>,
  { ledger, facts, rejected, clients, file, took }: FinishedAggregation,
): Promise<AggregateOutcome> {
  const { round } = ledger.record;
  const refused = withoutMissing(rejected, ledger.record.missing);
  // On record first: nobody finds a result that the run does not know of. The end of the run places what was not.
  const reported = withMeasures(ledger.record.reported, clients);
  await ledger.set({ aggregate: facts, rejected: refused, reported, failure: undefined });
  await placeFileAtomic(file, run.paths.aggregatedModel);
  await run.metrics.append({ event: 'aggregate', round, ...facts, rejected: refused, clients });
  const privacy = facts.privacy ? `, ${formatPrivacy(facts.privacy)}` : '';
  tell(run, { ...STAGE, round }, `${describeAggregate({ ...facts, clients })}${privacy}  ${took}`);
  return { file, sha256: facts.sha256, rejected: refused };
}

/** Each client with what was found of its update. */
function withMeasures(
  reported: readonly ClientRecord[],
  measures: AggregateResult['clients'] = [],
): ClientRecord[] {
  const found = new Map(measures.map((each) => [each.client, each]));
  return reported.map(({ norm: _norm, cosine: _cosine, ...each }) => ({
    ...each,
    ...found.get(each.client),
  }));
}

/** An aggregation that ended without a model. */
interface FailedAggregation extends Pick<FinishedAggregation, 'ledger' | 'rejected'> {
  readonly error: unknown;
}

/** Records why the stage failed and which updates it refused, and throws that again; what is no failure of the stage passes. */
export async function failAggregation(
  { metrics }: Pick<LocalRun, 'metrics'>,
  { ledger, rejected, error }: FailedAggregation,
): Promise<never> {
  if (error instanceof StageError) {
    const failure = { ...STAGE, reason: error.message };
    const refused = withoutMissing(rejected, ledger.record.missing);
    await ledger.set({ aggregate: undefined, rejected: refused, failure });
    // The run adds its failure.
    await metrics.append({ event: 'rejected', round: ledger.record.round, rejected: refused });
  }
  throw error;
}

/** Tells that a round was aggregated before. */
export function tellAggregated(run: Pick<LocalRun, 'reporter'>, round: number, facts: AggregateFacts): void {
  tellSkipped(run, { ...STAGE, round }, describeAggregate(facts));
}
