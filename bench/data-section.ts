/** How fast data become shards, and in how much memory: beside pandas, pyarrow and numpy, which read the same into memory. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../lib/observability/format.js';
import { endedProcessesSeconds, interleave, sampleProcess } from './measure.js';
import { prepareTables } from './peers.js';
import { formatRatio, medianOf, type Table } from './report.js';
import { type BenchOptions, fedbatch, peerScript, withDirectory } from './section.js';

const FORMATS = ['csv', 'parquet', 'npz'] as const;
const SCRIPT = peerScript('tables.py');
const CLIENTS = '20';

/** What one process took. */
export interface DataFigures {
  readonly seconds: number;
  /** Of all cores: what other work on the machine hardly changes. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** `dataset import`, `split`, and reading by the programs that people know, of one generated file for each format. */
export async function benchData({ rounds, journal, megabytes }: BenchOptions): Promise<Table> {
  const { command, name: versions } = await prepareTables();
  return withDirectory(async (directory) => {
    const rows: (readonly string[])[] = [];
    for (const format of FORMATS) {
      const file = join(directory, `data.${format}`);
      await sampleProcess(command, [SCRIPT, 'make', format, file, `${megabytes}`]);
      const ours = async (...args: readonly string[]): Promise<DataFigures> => {
        const before = endedProcessesSeconds();
        const { seconds, peakBytes } = await fedbatch(...args);
        return { seconds, cpuSeconds: endedProcessesSeconds() - before, peakBytes };
      };
      const reading = (program: string) => async (): Promise<DataFigures> => {
        const { peakBytes, stdout } = await sampleProcess(command, [SCRIPT, 'read', program, format, file]);
        const [seconds = 0, cpuSeconds = 0] = stdout.trim().split(' ').map(Number);
        return { seconds, cpuSeconds, peakBytes };
      };
      const out = join(directory, 'shards');
      const split = ['split', '--data', file, '--clients', CLIENTS, '--out', out];
      const samples = await interleave(
        { rounds, journal, name: `data, ${format}` },
        {
          ...(format === 'npz' ? {} : { 'fedbatch dataset import': () => ours('dataset', 'import', file) }),
          'fedbatch split': async () => {
            // A split that is there already is not made again.
            const seed = `${Math.floor(Math.random() * 1e9)}`;
            return await ours(...split, '--seed', seed);
          },
          ...(format === 'npz'
            ? { numpy: reading('numpy') }
            : { pandas: reading('pandas'), pyarrow: reading('pyarrow') }),
        },
      );
      rows.push(...dataRows(samples, { format, fileBytes: (await stat(file)).size }));
    }
    const notes = [
      `Read by ${versions}, from a warm file cache; the seconds of reading leave out the start of Python.`,
      'Processor time leaves out the process in which fedbatch decodes Parquet.',
    ];
    const header = ['file', 'what', 'time', 'MB/s', 'of the fastest reader', 'processor time', 'peak memory'];
    return { header, rows, notes };
  });
}

/** A row for each program; ours beside the fastest of the others. */
export function dataRows(
  samples: Readonly<Record<string, readonly DataFigures[]>>,
  { format, fileBytes }: { readonly format: string; readonly fileBytes: number },
): readonly (readonly string[])[] {
  const seconds = (what: string) => medianOf(samples[what] ?? [], (sample) => sample.seconds);
  const readers = Object.keys(samples).filter((what) => !what.startsWith('fedbatch'));
  const fastest = Math.min(...readers.map(seconds));
  return Object.entries(samples).map(([what, each]) => [
    ...[`${format}, ${formatBytes(fileBytes)}`, what, `${seconds(what).toFixed(1)} s`],
    ...[(fileBytes / 1e6 / seconds(what)).toFixed(0), formatRatio(fastest / seconds(what))],
    `${medianOf(each, ({ cpuSeconds }) => cpuSeconds).toFixed(1)} s`,
    formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
  ]);
}
