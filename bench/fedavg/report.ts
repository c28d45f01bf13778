/** Everything that docs/FEDAVG.md takes from the results: its sections, and its figures. */
import { formatMarkdown } from '../report.js';
import type { Attempt } from './attempt.js';
import { CELLS, type Cell, cellArguments, TABLES } from './cells.js';
import { type Curve, curvesChart } from './chart.js';
import { madeFile } from './datasets.js';
import { bestOutcome, meanCurve, monotone, outcomesOf, type Results } from './results.js';
import { tableOf } from './tables.js';

/** Markdown by the name of its markers. */
export function sections(results: Results): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(TABLES.map((table) => [table, formatMarkdown(tableOf(table, results))])),
    commands: `\`\`\`\n${commands().join('\n')}\n\`\`\``,
    builds: builds(results).join('\n'),
  };
}

/** SVG by file name. */
export function figures(results: Results): Readonly<Record<string, string>> {
  return {
    'cnn.svg': curvesChart({
      title: 'CNN on MNIST: best test accuracy so far',
      curves: curvesOf(results, (_, { model }) => model === 'CNN'),
      ...{ target: 0.99, span: [0.93, 1] },
    }),
    '2nn.svg': curvesChart({
      title: '2NN on MNIST: best test accuracy so far',
      curves: curvesOf(results, (_, { model }) => model === '2NN'),
      ...{ target: 0.97, span: [0.85, 0.98] },
    }),
    'fedprox.svg': curvesChart({
      title: 'Logistic regression, 1,000 clients of 2 labels: mean test accuracy so far',
      curves: curvesOf(results, (_, { table }) => table === 'fedprox'),
      ...{ target: 0.75, span: [0.4, 0.95] },
    }),
    'niid-bench.svg': curvesChart({
      title: 'niid_bench on MNIST, FedAvg: mean test accuracy so far',
      curves: curvesOf(results, (name, { table }) => table === 'niid-bench' && name.endsWith('-fedavg')),
      ...{ span: [0.93, 1] },
    }),
  };
}

/** The best learning rate of each cell that has one: the mean over its seeds. */
function curvesOf(results: Results, belongs: (name: string, cell: Cell) => boolean): readonly Curve[] {
  return Object.entries(CELLS).flatMap(([name, cell]) => {
    const best = belongs(name, cell) ? bestOutcome(cell, outcomesOf(cell, results[name])) : undefined;
    if (best === undefined) return [];
    const { published } = cell;
    const reference = published && 'rounds' in published ? published.rounds : undefined;
    const points = monotone(meanCurve(best));
    return [{ label: `${cell.title}, η = ${best.learningRate}`, points, reference }];
  });
}

/** What anybody can run, a line for each cell and learning rate: with the first seed, or `--seeds` of them. */
function commands(): readonly string[] {
  return Object.values(CELLS).flatMap((cell) =>
    cell.learningRates.map((learningRate) => {
      const line = cellArguments(cell, { data: dataName(cell), learningRate, seed: 0 });
      return ['npx', 'fedbatch', ...line, ...(cell.seeds > 1 ? ['--seeds', cell.seeds] : [])].join(' ');
    }),
  );
}

/** What the data of a cell are called. */
const dataName = ({ data }: Cell): string =>
  data === 'mnist' ? data : madeFile(data, '.cache/bench-fedavg');

/** On what machine and with which commit each attempt ran, and what came out. */
function builds(results: Results): readonly string[] {
  return Object.entries(results).flatMap(([name, attempts]) =>
    attempts.map((attempt) => {
      const { learningRate, seed } = attempt;
      return `- ${name}, η = ${learningRate}, seed ${seed}: ${describeBuilds(attempt)}${describeHashes(attempt)}`;
    }),
  );
}

const describeBuilds = ({ builds: list }: Attempt): string =>
  list.map(({ commit, date, machine }) => `commit ${commit}, ${date}, ${machine}`).join('; then ');

const describeHashes = ({ hashes }: Attempt): string =>
  hashes === undefined
    ? ''
    : `; sha256 of the data ${hashes.data.slice(0, 12)}, of the last model ${hashes.model.slice(0, 12)}`;
