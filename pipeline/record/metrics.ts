/** The events of a run: `metrics.jsonl`, one JSON object per line and event, added to and never rewritten. When it is large, another file begins. */
import { appendFile, open } from 'node:fs/promises';
import { StorageError } from '../../lib/core/errors.js';
import { errorCode } from '../../lib/core/system-errors.js';
import { requirePlace, storageError } from '../../lib/formats/files/atomic-file.js';
import { isAbsent } from '../../lib/formats/files/read-file.js';
import type { RunEvent, TimedEvent } from '../../lib/formats/metrics-event.js';
import type { RunFailure } from '../../lib/formats/run-results.js';
import { rotateEvents } from '../../lib/formats/runs/event-lines.js';
import type { VolumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { NOBODY, type Watchers } from '../../observe/watcher.js';
import type { RoundLedger } from './round-ledger.js';

/** Adds events to the file, each with its time. */
export interface MetricsFile {
  /** @throws {StorageError} when the system refuses, or the volume is gone */
  append(event: RunEvent): Promise<void>;
  /** Waits until those who watch have heard everything. */
  close(): Promise<void>;
}

/** A file of events becomes a full part before it is larger: the events of some 1,000 rounds of 20 clients. */
const MOST_BYTES = 16e6;

/** Who hears of events, and how large a file of them grows. */
interface MetricsOptions {
  readonly watchers?: Watchers | undefined;
  readonly mostBytes?: number;
}

/**
 * Opens the `metrics.jsonl` of a volume, which need not be there; a last line that a killed process left unfinished is
 * dropped. What is put on it, watchers hear.
 *
 * @throws {StorageError} when the system refuses
 */
export async function openMetrics(
  { root, run, metrics }: Pick<VolumePaths, 'root' | 'run' | 'metrics'>,
  { watchers = NOBODY, mostBytes = MOST_BYTES }: MetricsOptions = {},
): Promise<MetricsFile> {
  let sizeBytes = await dropUnfinishedLine(metrics);
  const write = async (line: string): Promise<void> => {
    if (await isAbsent(run)) throw goneError(root);
    await requirePlace();
    const addedBytes = Buffer.byteLength(line);
    try {
      if (sizeBytes > 0 && sizeBytes + addedBytes > mostBytes) {
        await rotateEvents(metrics);
        sizeBytes = 0;
      }
      await appendFile(metrics, line);
      sizeBytes += addedBytes;
    } catch (error) {
      // The disk may have taken a part of it.
      sizeBytes = await dropUnfinishedLine(metrics).catch(() => sizeBytes);
      throw storageError(metrics, error);
    }
  };
  // One after the other: a part of a line is gone before the next.
  let last: Promise<void> = Promise.resolve();
  return {
    async append(event) {
      const timed: TimedEvent = { time: new Date().toISOString(), ...event };
      last = last.catch(() => undefined).then(() => write(`${JSON.stringify(timed)}\n`));
      await last;
      watchers.tell(timed);
    },
    close: () => watchers.close(),
  };
}

/** A volume whose `run.json` is no longer there: whatever is written to it would be found by nobody as a run's. */
export function goneError(root: string, cause?: unknown): StorageError {
  return new StorageError(root, 'was deleted or moved away while the run went on.', { cause });
}

/** Between two looks for the end of a line, from the end of the file on. */
const LOOK_BYTES = 65_536;

/** Cuts off what follows the last end of a line; returns how many bytes are left, none where there is no such file. */
async function dropUnfinishedLine(path: string): Promise<number> {
  try {
    const file = await open(path, 'r+');
    try {
      const { size } = await file.stat();
      let [end, kept] = [size, 0];
      while (end > 0 && kept === 0) {
        const from = Math.max(0, end - LOOK_BYTES);
        const { buffer } = await file.read(Buffer.alloc(end - from), 0, end - from, from);
        const lines = buffer.lastIndexOf(0x0a) + 1;
        if (lines > 0) kept = from + lines;
        end = from;
      }
      if (kept < size) await file.truncate(kept);
      return kept;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw storageError(path, error);
  }
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
