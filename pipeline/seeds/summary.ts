/** What a repeated run tells at its end: a table of means and standard deviations for people, and what the mean misses. */
import type { ThresholdError } from '../../lib/core/errors.js';
import { leadingFigure, type TestFigures } from '../../lib/federation/metrics.js';
import type { Figures } from '../../lib/formats/repeated-run.js';
import { formatTable, roundTo } from '../../lib/observability/format.js';
import { missedRequirement, type Required } from '../rounds/run-failure.js';
import { shortPath } from '../rounds/summary.js';
import type { Repeated } from './repeat-run.js';

/** The result for people. */
export function repeatedSummary({ volume, record, last }: Repeated): string {
  const { runs, figures } = record;
  const { target } = last;
  const means = meansOf({ record, last });
  const { task } = means;
  const { metric } = leadingFigure(means, target);
  const rows = Object.entries(figures).map(([place, { mean, sd, least, most, runs: count }]) => [
    place,
    `${text(mean)} ± ${text(sd ?? 0)}`,
    ...[text(least), text(most), `${count}`],
  ]);
  const seeds = runs.map((run) => [
    `${run.seed}`,
    text(leadingFigure({ ...run, task }, target).value),
    text(run.loss ?? Number.NaN),
    `${run.rounds}`,
    shortPath(run.volume),
  ]);
  const [first, end] = [runs[0]?.seed, runs.at(-1)?.seed];
  return [
    '',
    formatTable(['seed', metric, 'loss', 'rounds', 'volume'], seeds),
    '',
    formatTable(
      [`of ${runs.length} runs, seeds ${first} to ${end}`, 'mean ± sd', 'least', 'most', 'runs'],
      rows,
    ),
    '',
    `record  ${shortPath(`${volume}/seeds.json`)}`,
    `report  ${shortPath(`${volume}/report.html`)}`,
  ].join('\n');
}

/** What the mean of the runs misses of what is required. */
export function missedByMean(repeated: Repeated, required: Required): ThresholdError | undefined {
  return missedRequirement(meansOf(repeated), required);
}

/** The means, as a test that found them. */
function meansOf({ record: { figures }, last }: Pick<Repeated, 'record' | 'last'>): TestFigures {
  return {
    task: last.last.evaluation.task,
    accuracy: figures.accuracy?.mean,
    loss: figures.loss?.mean ?? null,
    metrics: meansBelow('metrics.', figures),
  };
}

const meansBelow = (prefix: string, figures: Figures): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(figures).flatMap(([place, { mean }]) =>
      place.startsWith(prefix) ? [[place.slice(prefix.length), mean]] : [],
    ),
  );

const text = (value: number) => `${roundTo(value, 4)}`;
