/** Which rounds an earlier session has settled for good: by the chain of their records, without the files that they made. */
import { isDeepStrictEqual } from 'node:util';
import { reasonToStop } from '../../lib/federation/early-stop.js';
import { selectClients } from '../../lib/federation/participation.js';
import { FEDAVG, keepsState } from '../../lib/federation/strategies/strategy-settings.js';
import { ifWhole } from '../../lib/formats/files/json-document.js';
import type { Manifest } from '../../lib/formats/manifest.js';
import { type RoundRecord, readRoundRecord, rejectedClients } from '../../lib/formats/run-record.js';
import { remembers } from '../commands/stage-commands.js';
import type { LocalRun } from '../local-run.js';
import { withLoss } from '../rounds/outcomes.js';
import { turnsOf } from '../rounds/round-loop.js';
import type { Evaluation, FederationPlan, RoundOutcome } from '../rounds/runner.js';
import { holds } from './round-ledger.js';

/**
 * So many of the last rounds are looked at file by file. Those before them have made models that later rounds are made of:
 * nothing is read of them any more, and a disk that loses what was synced so long ago is told by the records alone.
 */
const CHECKED_ROUNDS = 5;

/** A finished round on record. */
export interface FinishedRecord extends RoundRecord {
  aggregate: NonNullable<RoundRecord['aggregate']>;
  evaluation: NonNullable<RoundRecord['evaluation']>;
}

/** What finished rounds have to be made of. */
export interface ChainOf {
  readonly plan: FederationPlan;
  readonly data: Manifest;
  /** Whether the record says that the round's model was made from what it would be made from again. */
  isMadeOf(record: FinishedRecord, data: Manifest): boolean;
}

/**
 * The rounds, from the first on, whose records form a chain: each starts from the model that the one before has made, by
 * the clients that the seed selects, from shards of these data, and names the digest of all that its model is made from
 * and the test of that very model. So the hash of the last model vouches for all before it.
 */
export async function chainOfRounds(
  { paths }: Pick<LocalRun, 'paths'>,
  { plan, data, isMadeOf }: ChainOf,
): Promise<readonly FinishedRecord[]> {
  const chain: FinishedRecord[] = [];
  const tests: Evaluation[] = [];
  while (reasonToStop(tests, plan) === undefined) {
    const round = chain.length + 1;
    const record = await ifWhole(readRoundRecord(paths.round(round).record));
    if (record === undefined || record.round !== round || !isFinished(record)) break;
    const before = chain.at(-1)?.aggregate.sha256 ?? record.parent;
    const isNext =
      record.parent === before &&
      record.evaluation.test === data.test.sha256 &&
      isMadeOf(record, data) &&
      isDeepStrictEqual(record.selected, [...selectClients(plan, { seed: plan.seed, round })]);
    if (!isNext) break;
    chain.push(record);
    tests.push(withLoss(record.evaluation));
  }
  return chain;
}

const isFinished = (record: RoundRecord): record is FinishedRecord =>
  record.aggregate !== undefined && record.evaluation?.model === record.aggregate.sha256;

/**
 * How many rounds of a chain need no second look, given those that are checked file by file after them: the model that
 * the next round starts from lies there whole.
 */
export async function settledRounds(
  { paths, settings }: Pick<LocalRun, 'paths' | 'settings'>,
  chain: readonly FinishedRecord[],
): Promise<number> {
  const hasState = keepsState(settings.strategy ?? FEDAVG);
  const startsWhole = async (settled: number): Promise<boolean> => {
    const { aggregate } = chain[settled - 1] ?? {};
    if (aggregate === undefined) return false;
    const next = paths.round(settled + 1);
    if (!(await holds(next.globalModel, aggregate.sha256))) return false;
    if (hasState && !(await holds(next.serverState, aggregate.state))) return false;
    if (!remembers(settings) || settings.federation.simulate) return true;
    for (const { client, round, sha256 } of lastUpdates(chain.slice(0, settled)).values())
      if (!(await holds(paths.round(round).update(client), sha256))) return false;
    return true;
  };
  const pruned = chain.findLastIndex((record) => record.pruned !== undefined) + 1;
  const wanted = Math.max(pruned, chain.length - CHECKED_ROUNDS);
  // A start that is damaged is made again by the round before it, where that has its files.
  for (let settled = wanted; settled > pruned; settled--) if (await startsWhole(settled)) return settled;
  for (let settled = pruned; pruned > 0 && settled <= chain.length; settled++)
    if (await startsWhole(settled)) return settled;
  return 0;
}

/** An update that counted. */
interface CountedUpdate {
  readonly client: number;
  readonly round: number;
  readonly sha256: string | undefined;
}

/** The updates of a round that counted. */
export function countedUpdates({ round, reported, rejected }: RoundRecord): readonly CountedUpdate[] {
  const refused = rejectedClients(rejected);
  return reported
    .filter(({ client }) => !refused.has(client))
    .map(({ client, sha256 }) => ({ client, round, sha256 }));
}

/** By client, the last update that counted: from it clients of some strategies go on. */
export function lastUpdates(records: readonly RoundRecord[]): Map<number, CountedUpdate> {
  return new Map(records.flatMap(countedUpdates).map((update) => [update.client, update]));
}

/** What the round loop is told of a settled round. */
export function outcomeOf({ paths }: Pick<LocalRun, 'paths'>, record: FinishedRecord): RoundOutcome {
  const { round, aggregate, evaluation } = record;
  return {
    round,
    global: { file: paths.round(round + 1).globalModel, sha256: aggregate.sha256 },
    evaluation: { ...withLoss(evaluation), isSkipped: true },
    participation: turnsOf(record),
  };
}
