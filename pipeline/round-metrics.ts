/** A finished round in `metrics.jsonl`: one line that says who took part, how it did and how long it took. */
import type { LocalRun } from './local-run.js';
import type { RoundLedger } from './round-ledger.js';

/** What a round's record does not tell. */
interface RoundTimes {
  /** Wall-clock seconds of each step. */
  readonly train: number;
  readonly aggregate: number;
  readonly evaluate: number;
  /** Best accuracy so far, this round's included. */
  readonly best: number;
}

/** Adds the line, and the seconds to the round's record. */
export async function tellRound(
  { metrics }: Pick<LocalRun, 'metrics'>,
  ledger: RoundLedger,
  { best, ...times }: RoundTimes,
): Promise<void> {
  const { round, selected, quorum, reported, rejected, missing, aggregate, evaluation } = ledger.record;
  const seconds = Object.fromEntries(
    Object.entries(times).map(([step, spent]) => [step, Math.round(spent * 1000) / 1000]),
  ) as Record<keyof typeof times, number>;
  await metrics.append({
    event: 'round',
    round,
    selected: selected.length,
    quorum,
    reported: reported.length,
    rejected: rejected.length,
    missing: missing.length,
    updates: aggregate?.updates,
    examples: aggregate?.examples,
    accuracy: evaluation?.accuracy,
    loss: evaluation?.loss,
    best,
    seconds,
    sha256: aggregate?.sha256,
  });
  await ledger.set({ seconds });
}
