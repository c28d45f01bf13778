/** The journal of campaigns: a line of JSON for each point, so that those of many sessions add up; and its tables in docs/RELIABILITY.md. */
import { appendFile, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { formatMarkdown } from '../../bench/report.js';

const entrySchema = z.object({
  seed: z.number(),
  /** Of the programs. */
  commit: z.string(),
  job: z.string(),
  faults: z.array(z.string()),
  isStruck: z.boolean(),
  endings: z.array(z.string()),
  breaches: z.array(z.string()),
  seconds: z.number(),
});

/** A point that was run. */
export type JournalEntry = z.infer<typeof entrySchema>;

/** What a journal holds: the last of several entries of a seed. @throws where a line is no point, but for a last one that was cut */
export async function readJournal(path: string): Promise<readonly JournalEntry[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const entries = text
    .split('\n')
    .slice(0, -1)
    .map((line) => entrySchema.parse(JSON.parse(line)));
  return [...new Map(entries.map((entry) => [entry.seed, entry])).values()];
}

/** Adds a point. */
export async function addToJournal(path: string, entry: JournalEntry): Promise<void> {
  await appendFile(path, `${JSON.stringify(entrySchema.parse(entry))}\n`);
}

/** The tables of a journal, in Markdown. */
export function describeJournal(entries: readonly JournalEntry[]): string {
  if (entries.length === 0) return 'No campaign has been run yet.';
  const failed = entries.filter(({ breaches }) => breaches.length > 0);
  const lastFailure = entries.findLastIndex(({ breaches }) => breaches.length > 0);
  const since = entries.length - 1 - lastFailure;
  const seconds = entries.reduce((sum, entry) => sum + entry.seconds, 0);
  const seeds = entries.map(({ seed }) => seed).toSorted((a, b) => a - b);
  const count = (entries: readonly JournalEntry[]) => [
    `${entries.length}`,
    `${entries.filter(({ isStruck }) => isStruck).length}`,
    `${entries.filter(({ breaches }) => breaches.length > 0).length}`,
  ];
  const grouped = (
    title: string,
    groups: readonly string[],
    isIn: (entry: JournalEntry, group: string) => boolean,
  ) =>
    formatMarkdown({
      header: [title, 'points', 'a fault met an operation', 'failures'],
      rows: groups.map((group) => [group, ...count(entries.filter((entry) => isIn(entry, group)))]),
    });
  const values = (of: (entry: JournalEntry) => readonly string[]) => [...new Set(entries.flatMap(of))].sort();
  return [
    `**${entries.length} points** (seeds ${seeds[0]} to ${seeds.at(-1)}, ${(seconds / 3600).toFixed(1)} hours of ` +
      `processor and waiting time, at the versions ${values(({ commit }) => [commit]).join(', ')}): ${failed.length} ` +
      `failures${failed.length === 0 ? '' : ` (seeds ${failed.map(({ seed }) => seed).join(', ')})`}, none in the last ` +
      `${since} points.`,
    grouped(
      'fault',
      values(({ faults }) => faults),
      ({ faults }, kind) => faults.includes(kind),
    ),
    grouped(
      'job',
      values(({ job }) => [job]),
      ({ job }, name) => job === name,
    ),
  ].join('\n\n');
}
