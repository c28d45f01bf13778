/** Aggregation as rounds grow: all updates at once, and in two levels, each as whole processes. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../lib/observability/format.js';
import { interleave, type ProcessSample } from './measure.js';
import { medianOf, type Table } from './report.js';
import { type BenchOptions, fedbatch, withDirectory } from './section.js';
import { writeUpdates } from './updates.js';

/** Clients of a round, and how many of them a group has. */
const ROUNDS = [
  { clients: 10, group: 5 },
  { clients: 100, group: 25 },
  { clients: 1_000, group: 250 },
  { clients: 10_000, group: 1_000 },
] as const;

/** The mean of the same updates of the CNN, at once and by groups. */
export async function benchGroups({ rounds, journal }: BenchOptions): Promise<Table> {
  const rows: string[][] = [];
  for (const { clients, group } of ROUNDS) {
    await withDirectory(async (directory) => {
      const updates = join(directory, 'updates');
      const named = (index: number) => join(directory, `group-${index}.h5`);
      await writeUpdates(updates, clients);
      const groups = inGroups(updates, { clients, group });
      const groupFiles = groups.map((_, index) => named(index));
      const flat = join(directory, 'flat.h5');
      const aggregateGroup = (files: readonly string[], index: number) =>
        fedbatch('aggregate', ...files, '--group', `${index}`, '--out', named(index));
      const samples = await interleave(
        { rounds, journal, name: `groups of ${clients}` },
        {
          flat: () => reading(groups.flat(), fedbatch('aggregate', '--dir', updates, '--out', flat)),
          'first level': () => reading([], inTurn(groups, aggregateGroup)),
          'second level': async () => {
            // Those of a session that was interrupted lay in another directory.
            if (!existsSync(named(0))) await inTurn(groups, aggregateGroup);
            return await reading(groupFiles, fedbatch('aggregate', '--groups', ...groupFiles, '--out', flat));
          },
        },
      );
      const cells = (each: readonly ProcessSample[] = []) => [
        `${medianOf(each, ({ seconds }) => seconds).toFixed(2)} s`,
        formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
      ];
      rows.push([
        clients.toLocaleString('en'),
        ...cells(samples.flat),
        `${groups.length} × ${group}`,
        ...cells(samples['first level']),
        ...cells(samples['second level']),
        `${formatBytes(bytesOf(samples.flat))}, ${formatBytes(bytesOf(samples['second level']))}`,
      ]);
    });
  }
  const header = ['updates', 'at once', 'peak memory', 'groups', 'first level, one after the other'];
  const levels = ['largest peak', 'second level', 'peak memory'];
  return { header: [...header, ...levels, 'all updates, all group files'], rows };
}

/** What a process came to, and the size of the files that it has read. */
async function reading(files: readonly string[], process: Promise<ProcessSample>) {
  const sample = await process;
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return { ...sample, readBytes: sizes.reduce((sum, size) => sum + size, 0) };
}

const bytesOf = (samples: readonly { readonly readBytes: number }[] = []) =>
  medianOf(samples, ({ readBytes }) => readBytes);

/** The files of each group. */
function inGroups(
  updates: string,
  { clients, group }: { readonly clients: number; readonly group: number },
): readonly (readonly string[])[] {
  return Array.from({ length: clients / group }, (_, index) =>
    Array.from({ length: group }, (_, place) => join(updates, `${index * group + place}.h5`)),
  );
}

/** One process after the other: their seconds together, and the largest peak. */
async function inTurn<T>(
  items: readonly T[],
  run: (item: T, index: number) => Promise<ProcessSample>,
): Promise<ProcessSample> {
  const samples: ProcessSample[] = [];
  for (const [index, item] of items.entries()) samples.push(await run(item, index));
  const [first] = samples;
  if (first === undefined) throw new Error('there is nothing to run');
  return {
    ...first,
    seconds: samples.reduce((sum, { seconds }) => sum + seconds, 0),
    peakBytes: Math.max(...samples.map(({ peakBytes }) => peakBytes)),
  };
}
