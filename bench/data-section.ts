/** How fast data are read and become shards, and in how much memory: beside pandas, pyarrow and numpy at the same. */
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

/** `dataset import` beside readers, `split` beside a script that does the same, of one generated file for each format. */
export async function benchData({ rounds, journal, megabytes }: BenchOptions): Promise<Table> {
  const { command, name: versions } = await prepareTables();
  return withDirectory(async (directory) => {
    const rows: (readonly string[])[] = [];
    for (const format of FORMATS) {
      const file = join(directory, `data.${format}`);
      await sampleProcess(command, [SCRIPT, 'make', format, file, `${megabytes}`]);
      const out = join(directory, 'shards');
      const split = ['split', '--data', file, '--clients', CLIENTS, '--out', out];
      const ours = async (...args: readonly string[]): Promise<DataFigures> => {
        const before = endedProcessesSeconds();
        const { seconds, peakBytes } = await fedbatch(...args);
        return { seconds, cpuSeconds: endedProcessesSeconds() - before, peakBytes };
      };
      const theirs = (work: 'read' | 'split', program: string) => async (): Promise<DataFigures> => {
        const args = [
          SCRIPT,
          work,
          program,
          format,
          file,
          ...(work === 'read' ? [] : [CLIENTS, join(directory, 'peer')]),
        ];
        const { peakBytes, stdout } = await sampleProcess(command, args);
        const [seconds = 0, cpuSeconds = 0] = stdout.trim().split(' ').map(Number);
        return { seconds, cpuSeconds, peakBytes };
      };
      const samples = await interleave(
        { rounds, journal, name: `data, ${format}` },
        {
          ...(format === 'npz'
            ? {}
            : {
                'import: fedbatch': () => ours('dataset', 'import', file),
                'import: pandas': theirs('read', 'pandas'),
                'import: pyarrow': theirs('read', 'pyarrow'),
              }),
          'split: fedbatch': async () => {
            // A split that is there already is not made again.
            const seed = `${Math.floor(Math.random() * 1e9)}`;
            return await ours(...split, '--seed', seed);
          },
          ...(format === 'npz'
            ? { 'split: numpy': theirs('split', 'numpy') }
            : { 'split: pyarrow and numpy': theirs('split', 'pyarrow') }),
        },
      );
      rows.push(...dataRows(samples, { format, fileBytes: (await stat(file)).size }));
    }
    const notes = [
      `${versions}, from a warm file cache; their seconds leave out the start of Python.`,
      'Processor time leaves out the process in which fedbatch decodes Parquet.',
    ];
    const header = ['file', 'what', 'time', 'MB/s', 'of the fastest peer', 'processor time', 'peak memory'];
    return { header, rows, notes };
  });
}

/** A row for each program at each work (`split: fedbatch`), beside the fastest of the others at the same. */
export function dataRows(
  samples: Readonly<Record<string, readonly DataFigures[]>>,
  { format, fileBytes }: { readonly format: string; readonly fileBytes: number },
): readonly (readonly string[])[] {
  const seconds = (what: string) => medianOf(samples[what] ?? [], (sample) => sample.seconds);
  const workOf = (what: string) => what.slice(0, what.indexOf(':'));
  const peers = Object.keys(samples).filter((what) => !what.endsWith(': fedbatch'));
  const fastest = (work: string) =>
    Math.min(...peers.filter((peer) => workOf(peer) === work).map((peer) => seconds(peer)));
  return Object.entries(samples).map(([what, each]) => [
    ...[`${format}, ${formatBytes(fileBytes)}`, what, `${seconds(what).toFixed(1)} s`],
    ...[(fileBytes / 1e6 / seconds(what)).toFixed(0), formatRatio(fastest(workOf(what)) / seconds(what))],
    `${medianOf(each, ({ cpuSeconds }) => cpuSeconds).toFixed(1)} s`,
    formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
  ]);
}
