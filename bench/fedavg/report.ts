/** Everything that docs/FEDAVG.md takes from the results: its sections, and its figures. */
import { formatMarkdown } from '../report.js';
import type { Attempt } from './attempt.js';
import { CELLS, type Cell, cellArguments } from './cells.js';
import { type Curve, curvesChart } from './chart.js';
import { bestOutcome, monotone, outcomesOf, type Results } from './results.js';
import { tableOf } from './tables.js';

/** Markdown by the name of its markers. */
export function sections(results: Results): Readonly<Record<string, string>> {
  return {
    paper: formatMarkdown(tableOf('paper', results)),
    beats: formatMarkdown(tableOf('beats', results)),
    'niid-bench': formatMarkdown(tableOf('niid-bench', results)),
    strategies: formatMarkdown(tableOf('strategies', results)),
    commands: `\`\`\`\n${commands().join('\n')}\n\`\`\``,
    builds: builds(results).join('\n'),
  };
}

/** SVG by file name. */
export function figures(results: Results): Readonly<Record<string, string>> {
  return {
    'cnn.svg': curvesChart({
      title: 'CNN on MNIST: best test accuracy so far',
      curves: curvesOf(results, (name) => CELLS[name]?.model === 'CNN'),
      ...{ target: 0.99, span: [0.93, 1] },
    }),
    '2nn.svg': curvesChart({
      title: '2NN on MNIST: best test accuracy so far',
      curves: curvesOf(results, (name) => CELLS[name]?.model === '2NN'),
      ...{ target: 0.97, span: [0.85, 0.98] },
    }),
    'niid-bench.svg': curvesChart({
      title: 'niid_bench on MNIST: best test accuracy so far',
      curves: curvesOf(results, (name) => CELLS[name]?.table === 'niid-bench'),
      ...{ span: [0.93, 1] },
    }),
  };
}

/** The best attempt of each cell that has one. */
function curvesOf(results: Results, belongs: (name: string) => boolean): readonly Curve[] {
  return Object.entries(CELLS).flatMap(([name, cell]) => {
    const best = belongs(name) ? bestOutcome(outcomesOf(cell, results[name] ?? [])) : undefined;
    if (best === undefined) return [];
    const reference = 'rounds' in cell.reference ? cell.reference.rounds : undefined;
    return [
      { label: `${cell.title}, η = ${best.learningRate}`, points: monotone(best.accuracies), reference },
    ];
  });
}

/** What anybody can run, a line for each cell and learning rate. */
function commands(): readonly string[] {
  return Object.values(CELLS).flatMap((cell) =>
    cell.learningRates.map((learningRate) =>
      ['npx', 'fedbatch', ...cellArguments(cell, { data: dataName(cell, 'mnist'), learningRate })].join(' '),
    ),
  );
}

/** What the data of a cell are called. */
const dataName = ({ everyImage }: Cell, whole: string): string =>
  everyImage === undefined ? whole : `.cache/bench-fedavg/every-${everyImage}.npz`;

/** On what machine and with which commit each attempt ran. */
function builds(results: Results): readonly string[] {
  return Object.entries(results).flatMap(([name, attempts]) =>
    attempts.map((attempt) => `- ${name}, η = ${attempt.learningRate}: ${describeBuilds(attempt)}`),
  );
}

const describeBuilds = ({ builds: list }: Attempt): string =>
  list.map(({ commit, date, machine }) => `commit ${commit}, ${date}, ${machine}`).join('; then ');
