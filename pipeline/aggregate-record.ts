/** The end of a round's aggregation, whoever did the work: the new global model takes its place, on record and told. */
import { formatPrivacy } from '../lib/federation/privacy/privacy-record.js';
import { placeFileAtomic } from '../lib/formats/atomic-file.js';
import type { RoundRecord } from '../lib/formats/run-record.js';
import { count, type LocalRun, tell, tellSkipped } from './local-run.js';
import type { RoundLedger } from './round-ledger.js';
import type { AggregateOutcome, RejectedUpdate } from './runner.js';

/** What round.json says of an aggregation. */
export type AggregateFacts = NonNullable<RoundRecord['aggregate']>;

/** An aggregation that has just made its model. */
export interface FinishedAggregation {
  readonly ledger: RoundLedger;
  readonly facts: AggregateFacts;
  readonly rejected: readonly RejectedUpdate[];
  /** The new global model. */
  readonly file: string;
  /** How long it took, in words. */
  readonly took: string;
}

const STAGE = { stage: 'aggregate' } as const;

/** Makes the model the newest of the run, and records and tells what it was made from. */
export async function concludeAggregation(
  run: Pick<LocalRun, 'paths' | 'metrics' | 'reporter'>,
  { ledger, facts, rejected, file, took }: FinishedAggregation,
): Promise<AggregateOutcome> {
  const { round } = ledger.record;
  await placeFileAtomic(file, run.paths.aggregatedModel);
  await ledger.set({ aggregate: facts, rejected: [...rejected], failure: undefined });
  await run.metrics.append({ event: 'aggregate', round, ...facts, rejected });
  const privacy = facts.privacy ? `, ${formatPrivacy(facts.privacy)}` : '';
  tell(run, STAGE, `${describe(round, facts)}${privacy}  ${took}`);
  return { file, sha256: facts.sha256, rejected };
}

/** Tells that a round was aggregated before. */
export function tellAggregated(run: Pick<LocalRun, 'reporter'>, round: number, facts: AggregateFacts): void {
  tellSkipped(run, STAGE, describe(round, facts));
}

const describe = (round: number, { updates, examples }: AggregateFacts): string =>
  `round ${round}: ${count(updates, 'update')}, ${examples} examples`;
