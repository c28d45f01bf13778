/** How measurements look in docs/BENCHMARKS.md: tables, and where in the report they stand. */

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
