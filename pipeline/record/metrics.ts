/** The events of a run: `metrics.jsonl`, one JSON object per line and event, added to and never rewritten. */
import { appendFile, readFile, truncate } from 'node:fs/promises';
import type { RunEvent, TimedEvent } from '../../lib/formats/metrics-event.js';
import type { RunFailure } from '../../lib/formats/run-results.js';
import type { Reporter } from '../../lib/observability/events.js';
import { NOBODY, type Watchers } from '../../observe/watcher.js';
import type { RoundLedger } from './round-ledger.js';

/** Adds events to the file, each with its time. */
export interface MetricsFile {
  append(event: RunEvent): Promise<void>;
  /** Waits until those who watch have heard everything. */
  close(): Promise<void>;
}

/** Opens the `metrics.jsonl` at `path`; a last line that a killed process left unfinished is dropped. What is on it, watchers hear. */
export async function openMetrics(path: string, watchers: Watchers = NOBODY): Promise<MetricsFile> {
  const bytes = await readFile(path).catch(() => undefined);
  const end = bytes === undefined ? 0 : bytes.lastIndexOf(0x0a) + 1;
  if (bytes !== undefined && end < bytes.length) await truncate(path, end);
  return {
    async append(event) {
      const timed: TimedEvent = { time: new Date().toISOString(), ...event };
      await appendFile(path, `${JSON.stringify(timed)}\n`);
      watchers.tell(timed);
    },
    close: () => watchers.close(),
  };
}

/** Adds the failure to `metrics.jsonl`; a disk that takes no line changes nothing about what is thrown. */
export async function recordFailure(
  { metrics, reporter }: { readonly metrics: MetricsFile; readonly reporter: Reporter },
  failure: RunFailure,
): Promise<void> {
  await metrics.append({ event: 'failure', ...failure }).catch((error: Error) => {
    reporter.warn(`the failure is not on the run's record: ${error.message}`);
  });
}

/** What a round's record does not tell. */
interface RoundTimes {
  /** Wall-clock seconds of each step. */
  readonly train: number;
  readonly aggregate: number;
  readonly evaluate: number;
  /** Best value so far of the metric that leads the task, this round's included. */
  readonly best: number;
}

/** Adds the line, and the seconds to the round's record. */
export async function tellRound(
  { metrics }: { readonly metrics: MetricsFile },
  ledger: RoundLedger,
  { best, ...times }: RoundTimes,
): Promise<void> {
  const { round, selected, quorum, reported, rejected, missing, aggregate, evaluation, acrossClients } =
    ledger.record;
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
    metrics: evaluation?.metrics,
    loss: evaluation?.loss,
    best: Number.isFinite(best) ? best : null,
    seconds,
    sha256: aggregate?.sha256,
    acrossClients,
  });
  await ledger.set({ seconds });
}
