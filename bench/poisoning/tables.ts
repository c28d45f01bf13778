/** The tables of docs/SECURITY.md, made from the results: what each strategy comes to under each attack, and what a person is told. */
import { deviation, mean } from 'd3-array';
import { formatMarkdown, type Table } from '../report.js';
import type { Result } from './results.js';
import { ATTACKS, type Attack, SHARES, SPLITS, type Split, STRATEGIES, trialsOf } from './trials.js';

/** A row: an attack and its share of the clients. */
interface Row {
  readonly attack: Attack;
  readonly share: number;
}

const ROWS: readonly Row[] = (Object.keys(ATTACKS) as Attack[]).flatMap((attack) =>
  (attack === 'none' ? [0] : SHARES).map((share) => ({ attack, share })),
);

/** All that the document takes from the results. */
export function poisoningMarkdown(results: readonly Result[]): string {
  const cells = trialsOf({ seeds: 1 }).length;
  const seeds = new Set(results.map(({ seed }) => seed)).size;
  return [
    ...(Object.keys(SPLITS) as Split[]).flatMap((split) => [
      `**${SPLITS[split]}**`,
      formatMarkdown(accuracyTable(results, split)),
    ]),
    '**What a person is told**',
    formatMarkdown(unlikeTable(results)),
    `${results.length} runs: ${cells} cells, up to ${seeds} ${seeds === 1 ? 'seed' : 'seeds'} each. Each run is a line of [results.jsonl](poisoning/results.jsonl).`,
  ].join('\n\n');
}

function accuracyTable(results: readonly Result[], split: Split): Table {
  const strategies = Object.keys(STRATEGIES);
  const cell = (row: Row, strategy: string, text: (found: readonly Result[]) => string) => {
    const found = results.filter(
      (each) =>
        each.split === split &&
        each.strategy === strategy &&
        each.attack === row.attack &&
        each.share === row.share,
    );
    return found.length === 0 ? 'not run yet' : text(found);
  };
  return {
    header: ['attack', 'attackers', ...strategies],
    rows: ROWS.flatMap((row) => {
      const line = (name: string, text: (found: readonly Result[]) => string) => [
        ...[name, percent(row.share, 0)],
        ...strategies.map((strategy) => cell(row, strategy, text)),
      ];
      const rows = [line(row.attack, accuracyText)];
      const hasBackdoor = row.attack === 'backdoor' || row.attack === 'none';
      return hasBackdoor ? [...rows, line(`${row.attack}: backdoor opens`, backdoorText)] : rows;
    }),
  };
}

/** `94.31 ± 0.20`, of the seeds whose runs came to their end; how many did not. */
function accuracyText(found: readonly Result[]): string {
  const ended = found.filter(({ exitCode }) => exitCode === 0);
  const failed = found.filter(({ exitCode }) => exitCode !== 0);
  const codes = [...new Set(failed.map(({ exitCode }) => exitCode))].join(', ');
  const ends = failed.length === 0 ? '' : `${failed.length} of ${found.length} end with exit code ${codes}`;
  return [spread(ended.flatMap(({ accuracy }) => accuracy ?? [])), ends]
    .filter((each) => each !== '')
    .join('; ');
}

const backdoorText = (found: readonly Result[]): string =>
  spread(found.flatMap(({ backdoor }) => backdoor ?? [])) || '–';

/** In percent, mean and standard deviation over the seeds; nothing of nothing. */
function spread(shares: readonly number[]): string {
  if (shares.length === 0) return '';
  const [middle = Number.NaN, sd] = [mean(shares), deviation(shares)];
  const digits = (share: number) => (share * 100).toFixed(1);
  return sd === undefined ? digits(middle) : `${digits(middle)} ± ${digits(sd)}`;
}

/** How many of the updates are told as unlike the others, over all strategies and seeds. */
function unlikeTable(results: readonly Result[]): Table {
  const told = (row: Row, split: Split, side: 'attackers' | 'honest') => {
    const shares = results
      .filter((each) => each.split === split && each.attack === row.attack && each.share === row.share)
      .flatMap(({ unlike }) => unlike?.[side] ?? []);
    return shares.length === 0 ? '–' : percent(mean(shares) ?? 0, 1);
  };
  const splits = Object.keys(SPLITS) as Split[];
  return {
    header: [
      'attack',
      'attackers',
      ...splits.flatMap((split) => [`${SPLITS[split]}: attackers told`, 'honest told']),
    ],
    rows: ROWS.map((row) => [
      ...[row.attack, percent(row.share, 0)],
      ...splits.flatMap((split) => [told(row, split, 'attackers'), told(row, split, 'honest')]),
    ]),
  };
}

const percent = (share: number, digits: number): string => `${(share * 100).toFixed(digits)} %`;
