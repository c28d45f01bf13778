/** Learning-rate schedules: the rate of each round's clients, from the rate of the run. */

/** How the rate changes from round to round. */
export interface LearningRateSchedule {
  /** η: the full rate, before it is scaled. */
  readonly base: number;
  /**
   * What the full rate is multiplied by after each round, as in McMahan et al. 2017; or `cosine`: half a cosine from the
   * full rate to 0 (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts), which the round after the last
   * would reach.
   */
  readonly decay: number | 'cosine';
  /** Rounds in which the rate rises evenly to the full one; 0 for none. */
  readonly warmUpRounds: number;
  /**
   * Multiply the full rate by the number of clients that train in a round: their averaged steps are one step on a batch
   * that many times as large (the linear scaling rule, Goyal et al. 2017, arXiv 1706.02677).
   */
  readonly scaleWithClients: boolean;
}

/** Where a run stands. */
interface ScheduledRound {
  /** From 1. */
  readonly round: number;
  readonly rounds: number;
  /** Clients selected in this round. */
  readonly clients: number;
}

/**
 * The rate of a round's clients. With `warmUpRounds` = W, round W + 1 is the first at the full rate, and decay starts
 * from there. Warm-up rises from 0, or, where the rate is scaled, from the rate of a single client (Goyal et al. §2.2).
 */
export function learningRateOf(
  { base, decay, warmUpRounds, scaleWithClients }: LearningRateSchedule,
  { round, rounds, clients }: ScheduledRound,
): number {
  const full = scaleWithClients ? base * clients : base;
  if (round <= warmUpRounds) {
    const from = scaleWithClients ? base : 0;
    return from + ((full - from) * round) / (warmUpRounds + 1);
  }
  const since = round - warmUpRounds - 1;
  if (decay === 'cosine') {
    const span = Math.max(1, rounds - warmUpRounds);
    return (full * (1 + Math.cos((Math.PI * since) / span))) / 2;
  }
  return decay === 1 ? full : full * decay ** since;
}
