/** Federated averaging, round by round: algorithm 1 of McMahan et al. 2017 (arXiv 1602.05629), server's side. */
import type { ClientResult, Evaluation, GlobalModel, Runner } from './runner.js';

/** What one round came to. */
export interface RoundOutcome {
  readonly round: number;
  readonly updates: readonly ClientResult[];
  /** The global model that the round ended with. */
  readonly global: GlobalModel;
  readonly evaluation: Evaluation;
}

/** Runs `rounds` rounds with `clients` clients; returns the outcome of each, in order. */
export async function federatedAveraging(
  { clients, rounds }: { readonly clients: number; readonly rounds: number },
  runner: Runner,
): Promise<readonly RoundOutcome[]> {
  const outcomes: RoundOutcome[] = [];

  let global = await runner.init(); // initialize w₀
  for (let round = 1; round <= rounds; round++) {
    const selected = allClients(clients); // S_t, with C = 1: every client takes part
    const updates = await runner.train({ round, global, clients: selected }); // w^k ← ClientUpdate(k, w), k ∈ S_t
    global = await runner.aggregate({ round, global, updates }); // w ← Σ n_k/n · w^k
    const evaluation = await runner.evaluate({ round, global });
    outcomes.push({ round, updates, global, evaluation });
  }
  return outcomes;
}

/** The clients 0 … K-1. */
function allClients(clients: number): readonly number[] {
  return Array.from({ length: clients }, (_, client) => client);
}
