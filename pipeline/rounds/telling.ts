/** How the stages of a run are told: a line for what each did. */
import { leadingFigure, type TestFigures, type Threshold } from '../../lib/federation/metrics.js';
import { describeOddUpdates } from '../../lib/federation/odd-updates.js';
import type { AggregateResult } from '../../lib/formats/stage-results.js';
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

/** `3 updates, 600 examples`; with the norm that they were clipped to, and with those that are unlike the others. */
export function describeAggregate({
  updates,
  examples,
  clipNorm,
  clients = [],
}: Pick<AggregateResult, 'updates' | 'examples' | 'clipNorm' | 'clients'>): string {
  const clipped = clipNorm === undefined ? '' : `, clipped to ${clipNorm.toPrecision(3)}`;
  const odd = describeOddUpdates(clients);
  return `${count(updates, 'update')}, ${examples} examples${clipped}${odd === undefined ? '' : `, ${odd}`}`;
}

/** `accuracy 0.9753, loss 0.0812`; of other tasks the metric that leads, or that of the target. */
export function describeEvaluation(found: TestFigures, target?: Threshold): string {
  const { metric, value } = leadingFigure(found, target);
  const { loss } = found;
  const lossText = loss === null ? 'not finite' : loss.toFixed(4);
  return metric === 'loss' ? `loss ${lossText}` : `${metric} ${value.toFixed(4)}, loss ${lossText}`;
}
