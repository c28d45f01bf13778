/** Federated averaging, round by round: algorithm 1 of McMahan et al. 2017 (arXiv 1602.05629), server's side. */
import { reasonToStop, type StopRules } from '../../lib/federation/early-stop.js';
import { type Selection, selectClients } from '../../lib/federation/participation.js';
import { type Quorum, requiredUpdates } from '../../lib/federation/quorum.js';
import type { AggregateOutcome, Evaluation, GlobalModel, Runner, TrainOutcome } from './runner.js';

/** Who takes part in the rounds, and how long they go on. */
export interface FederationPlan extends Selection, StopRules {
  /** Of the selection. */
  readonly seed: number;
  /** Updates that a round needs; without it all selected clients have to report. */
  readonly quorum?: Quorum | undefined;
}

/** What one round came to. */
export interface RoundOutcome extends TrainOutcome, Pick<AggregateOutcome, 'rejected'> {
  readonly round: number;
  readonly selected: readonly number[];
  /** The global model that the round ended with. */
  readonly global: GlobalModel;
  readonly evaluation: Evaluation;
}

/** Runs rounds until the plan says that it is enough; returns the outcome of each, in order. */
export async function federatedAveraging(
  plan: FederationPlan,
  runner: Runner,
): Promise<readonly RoundOutcome[]> {
  const outcomes: RoundOutcome[] = [];
  const tests = () => outcomes.map(({ evaluation }) => evaluation);

  let global: GlobalModel = await runner.init(); // initialize w₀
  for (let round = 1; reasonToStop(tests(), plan) === undefined; round++) {
    const selected = selectClients(plan, { seed: plan.seed, round }); // S_t ← random set of max(C·K, 1) clients
    const quorum = plan.quorum && requiredUpdates(plan.quorum, selected.length);
    const { reported, missing } = await runner.train({ round, global, clients: selected, quorum }); // w^k, k ∈ S_t
    const { rejected, ...next } = await runner.aggregate({ round, global, updates: reported, quorum });
    global = next; // w ← Σ n_k/n · w^k over the good updates
    const evaluation = await runner.evaluate({ round, global });
    outcomes.push({ round, selected, reported, missing, rejected, global, evaluation });
  }
  return outcomes;
}
