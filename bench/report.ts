/** Measurements as docs/BENCHMARKS.md shows them: medians and ratios, the machine, tables, and where they stand. */
import { arch, cpus, platform, totalmem } from 'node:os';
import { median as d3Median } from 'd3-array';
import { formatBytes } from '../lib/observability/format.js';

/** A table: header and rows, as they stand in the report. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What was left out or must be known to read it, a sentence each. */
  readonly notes?: readonly string[];
}

/** The table in Markdown, its notes below. */
export function formatMarkdown({ header, rows, notes = [] }: Table): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const table = [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
  return [table, ...notes].join('\n\n');
}

/** Replaces what stands between the markers of a section; the prose around stays. @throws where they are missing */
export function replaceSection(report: string, name: string, markdown: string): string {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [report.indexOf(begin), report.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the report has no markers ${begin} … ${end}`);
  return `${report.slice(0, from + begin.length)}\n${markdown}\n${report.slice(to)}`;
}

/** `1.31×`, or a dash where there is nothing to compare. */
export const formatRatio = (ratio: number): string => (Number.isFinite(ratio) ? `${ratio.toFixed(2)}×` : '–');

/** Processor, memory, platform, and Node's version. */
export function describeMachine(): string {
  const [cpu] = cpus();
  return `${cpus().length} cores of ${cpu?.model.trim()}, ${formatBytes(totalmem())}, ${platform()} ${arch()}, Node ${process.versions.node}`;
}

/** The middle of some numbers; of an even count, the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  return d3Median(values) ?? Number.NaN;
}

/** The smallest of some numbers that at least `share` of them do not exceed. NaN of none. */
export function percentileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The median of one figure over samples. */
export function medianOf<T>(samples: readonly T[], figure: (sample: T) => number): number {
  return median(samples.map(figure));
}

/**
 * The median over rounds of `ours / theirs`. Each ratio is of one round, whose sides ran right after each other, so a
 * machine that is slower in one round than in the next does not move it.
 * @throws when the two were not measured in the same rounds
 */
export function ratioByRound(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length) throw new Error(`${ours.length} rounds beside ${theirs.length}`);
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}
