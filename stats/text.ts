/** Statistics as tables of 80 columns. */
import {
  type CategoriesResult,
  type NumbersResult,
  QUANTILES,
  type StatisticsResult,
} from '../lib/formats/statistics-result.js';

/** Characters of a line. */
const WIDTH = 80;
/** Rows of a table; a flat picture has one for each pixel. */
const MOST_ROWS = 40;
/** Categories that are named for each input. */
const MOST_CATEGORIES = 12;
/** Characters of a name. */
const NAME_WIDTH = 22;

/** What people read. */
export function statisticsText({
  source,
  clients,
  columns,
  minClientsPerStatistic: fewest,
}: StatisticsResult): string {
  const examples = clients.reduce((sum, each) => sum + each.examples, 0);
  const numbers = columns.filter((each) => each.kind === 'numbers');
  const categories = columns.filter((each) => each.kind === 'categories');
  const merged = numbers.reduce((sum, { histogram }) => sum + (histogram?.merged ?? 0), 0);
  const shown = numbers.slice(0, MOST_ROWS);
  const blocks = [
    `${source}: ${clients.length} ${clients.length === 1 ? 'client' : 'clients'}, ${examples} examples`,
    ...(shown.length === 0 ? [] : [momentsTable(shown), quantilesTable(shown)]),
    ...(clients.length > 1 && fewest === 1 && shown.length > 0 ? [spreadTable(shown)] : []),
    ...(numbers.length > shown.length
      ? [`${numbers.length - shown.length} further numbers are left out here: --json tells them all.`]
      : []),
    ...categories.map(categoriesText),
    ...(fewest > 1 ? [withheldText(fewest, merged)] : []),
  ];
  return blocks.join('\n\n');
}

function momentsTable(numbers: readonly NumbersResult[]): string {
  const header = ['numbers', 'values', 'missing', 'mean', 'deviation', 'least', 'most'];
  return table(
    header,
    numbers.map(({ name, values, missing, mean, deviation, least, most }) => [
      name,
      ...[values, missing].map((count) => (count === null ? '-' : `${count}`)),
      ...[mean, deviation, least, most].map(short),
    ]),
  );
}

function quantilesTable(numbers: readonly NumbersResult[]): string {
  const header = ['below it lie', ...QUANTILES.map((share) => `${share * 100} %`)];
  const lines = table(
    header,
    numbers.map(({ name, quantiles }) => [name, ...(quantiles ?? QUANTILES.map(() => null)).map(short)]),
  ).split('\n');
  const room = Math.min(WIDTH - (lines[0]?.length ?? 0) - GAP.length, MOST_BARS);
  return lines
    .map((line, at) => {
      const histogram = numbers[at - 1]?.histogram;
      const picture = at === 0 ? 'from least to most' : histogram ? bars(histogram, room) : '';
      return `${line}${GAP}${picture.slice(0, room)}`.trimEnd();
    })
    .join('\n');
}

/** From which client to which the means lie. */
function spreadTable(numbers: readonly NumbersResult[]): string {
  const header = ['from client to client', 'lowest mean', 'client', 'highest mean', 'client'];
  const rows = numbers.flatMap(({ name, byClient = [] }) => {
    const known = byClient.filter((each) => each.mean !== null);
    const sorted = known.toSorted((a, b) => (a.mean as number) - (b.mean as number));
    const [lowest, highest] = [sorted[0], sorted.at(-1)];
    if (lowest === undefined || highest === undefined) return [];
    return [[name, short(lowest.mean), `${lowest.client}`, short(highest.mean), `${highest.client}`]];
  });
  return table(header, rows);
}

/** Between two columns. */
const GAP = '  ';

/** A table whose first column is flush left, and the others flush right. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map(([name = '', ...cells]) => [clipped(name), ...cells]);
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join(GAP)
      .trimEnd();
  return all.map(line).join('\n');
}

const clipped = (name: string): string =>
  name.length > NAME_WIDTH ? `${name.slice(0, NAME_WIDTH - 1)}…` : name;

function categoriesText({ name, categories, missing, withheld }: CategoriesResult): string {
  const named = categories
    .toSorted((a, b) => b.values - a.values)
    .slice(0, MOST_CATEGORIES)
    .map((each) => `${each.name} ${each.values} (${each.clients})`);
  const rest = categories.length - named.length;
  const others = [
    ...(rest > 0 ? [`${rest} more`] : []),
    ...(withheld > 0 ? [`withheld: ${withheld}`] : []),
    ...(missing !== null && missing > 0 ? [`none of them: ${missing}`] : []),
  ];
  return wrapped(`${name}: `, [...named, ...others]);
}

/** Words with commas between, in lines that are not too long. */
function wrapped(head: string, words: readonly string[]): string {
  const lines: string[] = [];
  let line = head;
  for (const [at, word] of words.entries()) {
    const next = `${word}${at === words.length - 1 ? '' : ', '}`;
    if (line.length + next.trimEnd().length > WIDTH && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = '  ';
    }
    line += next;
  }
  return [...lines, line.trimEnd()].join('\n');
}

function withheldText(fewest: number, merged: number): string {
  const bins = merged === 0 ? '' : ` ${merged} bins of histograms became one with a neighbour.`;
  return (
    `Behind each statistic stand at least ${fewest} clients: least and most are reached by as many, and what single\n` +
    `clients have is left out.${bins}`
  );
}

/** Five digits. */
function short(value: number | null): string {
  if (value === null) return '-';
  const text = `${Number(value.toPrecision(5))}`;
  return text.length > 9 ? value.toExponential(2) : text;
}

const HEIGHTS = '▁▂▃▄▅▆▇█';
const MOST_BARS = 24;

/** The histogram as `count` blocks of equal width. */
function bars({ edges, counts }: NonNullable<NumbersResult['histogram']>, count: number): string {
  const [least = 0] = edges;
  const width = ((edges.at(-1) ?? 0) - least) / count;
  if (width === 0) return HEIGHTS.at(-1) as string;
  const heights = new Float64Array(count);
  for (const [at, values] of counts.entries()) {
    const [from, to] = [edges[at] as number, edges[at + 1] as number];
    for (let bar = 0; bar < count; bar++) {
      const shared = Math.min(to, least + (bar + 1) * width) - Math.max(from, least + bar * width);
      if (shared > 0) heights[bar] = (heights[bar] as number) + (values * shared) / (to - from);
    }
  }
  const tallest = heights.reduce((most, each) => Math.max(most, each), 0);
  return Array.from(heights, (each) =>
    each === 0 ? ' ' : HEIGHTS[Math.min(HEIGHTS.length - 1, Math.floor((each / tallest) * HEIGHTS.length))],
  ).join('');
}
