/** Federated averaging, round by round: algorithm 1 of McMahan et al. 2017 (arXiv 1602.05629), server's side. */
import { reasonToStop } from '../../lib/federation/early-stop.js';
import { selectClients } from '../../lib/federation/participation.js';
import { requiredUpdates } from '../../lib/federation/quorum.js';
import type { FederationPlan, GlobalModel, RoundOutcome, Runner } from './runner.js';

/** Runs rounds until the plan says that it is enough; returns the outcome of each, in order. */
export async function federatedAveraging(
  plan: FederationPlan,
  runner: Runner,
): Promise<readonly RoundOutcome[]> {
  const outcomes: RoundOutcome[] = [...((await runner.settled?.(plan)) ?? [])];
  const tests = () => outcomes.map(({ evaluation }) => evaluation);

  let global: GlobalModel = outcomes.at(-1)?.global ?? (await runner.init()); // initialize w₀
  for (let round = outcomes.length + 1; reasonToStop(tests(), plan) === undefined; round++) {
    const selected = selectClients(plan, { seed: plan.seed, round }); // S_t ← random set of max(C·K, 1) clients
    const quorum = plan.quorum && requiredUpdates(plan.quorum, selected.length);
    const { reported, missing } = await runner.train({ round, global, clients: selected, quorum }); // w^k, k ∈ S_t
    const { rejected, ...next } = await runner.aggregate({ round, global, updates: reported, quorum });
    global = next; // w ← Σ n_k/n · w^k over the good updates
    const evaluation = await runner.evaluate({ round, global });
    const participation = turnsOf({ selected, missing, rejected });
    outcomes.push(...outcomes.splice(-1).map(inShort), {
      round,
      global,
      evaluation,
      participation,
      reported,
      missing,
    });
  }
  return outcomes;
}

/** An outcome without the lists of its clients: those of 500 rounds of 1,000 clients would fill the memory. */
const inShort = ({ reported: _reported, missing: _missing, ...outcome }: RoundOutcome): RoundOutcome =>
  outcome;

/** How many clients took part in a round, and how many of them did not count. */
export function turnsOf({
  selected,
  missing,
  rejected,
}: {
  readonly selected: readonly number[];
  readonly missing: readonly object[];
  readonly rejected: readonly object[];
}): RoundOutcome['participation'] {
  const refused = rejected.filter((each) => 'client' in each);
  return { selected: selected.length, missing: missing.length, rejected: refused.length };
}
