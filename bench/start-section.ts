/** How long programs take from start to end where little is to be done; beside another build, where one is named. */
import { join } from 'node:path';
import { endedProcessesSeconds, interleave, sampleProcess } from './measure.js';
import { formatRatio, medianOf, ratioByRound, type Table } from './report.js';
import { type BenchOptions, program, withDirectory } from './section.js';

/** A program by its path in dist, and its arguments. */
type Start = readonly [program: string, ...args: string[]];

/** One process from start to end. */
interface StartSample {
  readonly seconds: number;
  /** Processor time, of its children too. */
  readonly cpuSeconds: number;
}

/** Programs that show their help, stages that do next to nothing, a short simulation: wall and processor time. */
export async function benchStart({ data, rounds, journal, baseline }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const sides: Readonly<Record<string, (path: string) => string>> = {
      ...(baseline === undefined ? {} : { baseline: (path: string) => join(baseline, `${path}.js`) }),
      'this build': program,
    };
    const at = (name: string) => join(directory, name);
    await run(program, ['splitter/cli', '--data', data, '--clients', '6', '--out', at('shards')]);
    await run(program, ['trainer/init-cli', '--data', at('shards/test.npz'), '--out', at('init.h5')]);
    const rows: string[][] = [];
    for (const [name, start] of Object.entries(starts(data, at))) {
      const samples = await interleave(
        { rounds, journal, name },
        Object.fromEntries(Object.entries(sides).map(([side, find]) => [side, () => run(find, start)])),
      );
      rows.push([name, ...startRow(samples['this build'] ?? [], samples.baseline)]);
    }
    const compares =
      baseline === undefined ? [] : ['before', 'CPU', 'wall time is', 'CPU is', 'least CPU is'];
    return { header: ['process', 'wall time', 'CPU', ...compares], rows };
  });
}

function starts(data: string, at: (name: string) => string): Readonly<Record<string, Start>> {
  const shard = ['--data', at('shards/0.npz'), '--init', at('init.h5'), '--client', '0', '--round', '1'];
  return {
    'help of the splitter': ['splitter/cli', '--help'],
    'help of the trainer': ['trainer/cli', '--help'],
    'help of the aggregator': ['aggregator/cli', '--help'],
    'help of the evaluator': ['evaluator/cli', '--help'],
    'help of the server': ['server/cli', '--help'],
    'help of run': ['cli', 'run', '--help'],
    'train one step': [
      ...(['trainer/cli', ...shard, '--out', at('step.h5')] as const),
      ...['--threads', '1', '--local-steps', '1'],
    ],
    'train 10,000 images': ['trainer/cli', ...shard, '--out', at('0.h5'), '--threads', '2', '--epochs', '1'],
    'split 60,000 images': ['splitter/cli', '--data', data, '--clients', '6', '--out', at('split')],
    'test 10,000 images': [
      ...(['evaluator/cli', '--data', at('shards/test.npz'), '--model', at('init.h5')] as const),
      ...['--out', at('accuracy.json'), '--threads', '2'],
    ],
    'simulation of 20 clients, 3 rounds of the mlp': [
      ...(['cli', 'run', '--rounds', '3', '--clients', '20', '--epochs', '1', '--model', 'mlp'] as const),
      ...['--simulate', '--volume', at('simulated'), '--fresh'],
    ],
  };
}

async function run(find: (path: string) => string, [path, ...args]: Start): Promise<StartSample> {
  const before = endedProcessesSeconds();
  const { seconds } = await sampleProcess(process.execPath, [find(path), ...args]);
  return { seconds, cpuSeconds: endedProcessesSeconds() - before };
}

const wall = ({ seconds }: StartSample) => seconds;
const cpu = ({ cpuSeconds }: StartSample) => cpuSeconds;

/** The figures of a row: ours, and with a baseline its figures, then the ratios within a round and that of the smallest. */
export function startRow(ours: readonly StartSample[], theirs?: readonly StartSample[]): readonly string[] {
  const columns = (samples: readonly StartSample[]) =>
    [wall, cpu].map((figure) => `${(medianOf(samples, figure) * 1000).toFixed(0)} ms`);
  if (theirs === undefined) return columns(ours);
  const ratios = [wall, cpu].map((figure) => ratioByRound(ours.map(figure), theirs.map(figure)));
  // What else runs on a machine adds to a time: the smallest one has the least of it.
  const least = Math.min(...ours.map(cpu)) / Math.min(...theirs.map(cpu));
  return [...columns(ours), ...columns(theirs), ...[...ratios, least].map(formatRatio)];
}
