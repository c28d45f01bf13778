/** How the stages of a run are told: a line for what each did. */
import type { Reporter } from '../../lib/observability/events.js';
import { formatSeconds } from '../../lib/observability/format.js';
import { NAME_WIDTH } from '../../lib/observability/progress-line.js';
import { type StageTask, stageName } from './target.js';

/** Who is told. */
type Listener = { readonly reporter: Reporter };

/** What is told of: a stage, or its part of a round. */
type Told = Pick<StageTask, 'stage' | 'round'>;

/** Tells in one line what a stage did. */
export function tell({ reporter }: Listener, told: Told, text: string): void {
  const name = stageName(told).padEnd(NAME_WIDTH);
  if (told.round === undefined) reporter.info(`${name}  ${text}`, { ...told });
  else reporter.step(`${name}  round ${told.round}: ${text}`, { ...told });
}

/** Tells that a stage was done before, and is skipped. */
export function tellSkipped(run: Listener, told: Told, what: string): void {
  tell(run, told, `${what}, done before: skipped`);
}

/** Runs a task and says how long it took, e.g. `3.2 s`. */
export async function stopwatch<T>(
  task: () => Promise<T>,
): Promise<{ result: T; seconds: number; took: string }> {
  const from = performance.now();
  const result = await task();
  const seconds = (performance.now() - from) / 1000;
  return { result, seconds, took: formatSeconds(seconds) };
}

/** A number of things in words: `1 shard`, `3 shards`. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
