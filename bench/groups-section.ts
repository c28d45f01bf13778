/** Aggregation as rounds grow: all updates at once, and in two levels, each as whole processes. */
import { join } from 'node:path';
import { formatBytes } from '../lib/observability/format.js';
import { interleave, type ProcessSample } from './measure.js';
import { medianOf, type Table } from './report.js';
import { type BenchOptions, fedbatch, withDirectory } from './section.js';
import { writeUpdates } from './stages-section.js';

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
      await writeUpdates(updates, clients);
      const groups = inGroups(updates, { clients, group });
      const flat = join(directory, 'flat.h5');
      const named = (index: number) => join(directory, `group-${index}.h5`);
      const samples = await interleave(
        { rounds, journal, name: `groups of ${clients}` },
        {
          flat: () => fedbatch('aggregate', '--dir', updates, '--out', flat),
          'first level': () =>
            inTurn(groups, (files, index) =>
              fedbatch('aggregate', ...files, '--group', `${index}`, '--out', named(index)),
            ),
          'second level': () =>
            fedbatch('aggregate', '--groups', ...groups.map((_, index) => named(index)), '--out', flat),
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
      ]);
    });
  }
  const header = ['updates', 'at once', 'peak memory', 'groups', 'first level, one after the other'];
  return { header: [...header, 'largest peak', 'second level', 'peak memory'], rows };
}

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
