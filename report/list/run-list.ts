/** The runs below a folder, each read from the files of its volume alone. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DataError, ExitCode, UsageError } from '../../lib/core/errors.js';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure } from '../../lib/federation/metrics.js';
import { errorCode, exists } from '../../lib/formats/files/read-file.js';
import type { RunRow } from '../../lib/formats/run-rows.js';
import { volumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { formatColumns } from '../../lib/observability/format.js';
import { modelTitle } from '../../lib/settings/parts/data.js';
import { type RunRecords, readRunRecords } from '../records.js';

/** Folders below each other that are looked into: a sweep's trials lie two below the folder of sweeps. */
const MOST_DEPTH = 4;

/** A run of a list, with all that its volume tells. */
export interface ListedRun {
  readonly row: RunRow;
  readonly records: RunRecords;
}

/**
 * The runs below a folder, the newest first; a damaged one is told of and left out.
 *
 * @throws {DataError} where there is no such folder
 */
export async function listRuns(
  folder: string,
  { reporter }: { readonly reporter: Pick<Reporter, 'warn'> },
): Promise<readonly ListedRun[]> {
  const runs: ListedRun[] = [];
  for (const volume of await volumesBelow(folder, MOST_DEPTH)) {
    try {
      runs.push(await readRun(volume));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      reporter.warn(`left out: ${error.message}`);
    }
  }
  return runs.sort((a, b) => (a.row.createdAt < b.row.createdAt ? 1 : -1));
}

/** The run on a volume. @throws {DataError} where there is none, or its records are damaged */
export async function readRun(volume: string): Promise<ListedRun> {
  const records = await readRunRecords(volumePaths(volume));
  return { row: rowOf(volume, records), records };
}

/**
 * The run that a word means: a volume, or the name, the id or the beginning of the id of one of the runs.
 *
 * @throws {UsageError} where it means none or several of them
 */
export async function findRun(word: string, runs: () => Promise<readonly ListedRun[]>): Promise<ListedRun> {
  if (await exists(volumePaths(word).run)) return await readRun(word);
  const all = await runs();
  const isNamed = ({ row }: ListedRun) => row.name === word || row.id === word;
  const exact = all.filter(isNamed);
  const found = exact.length > 0 ? exact : all.filter(({ row }) => row.id.startsWith(word));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const what = found.length === 0 ? 'is no run' : `is the name of ${found.length} runs`;
  const others = found.length === 0 ? all : found;
  const known = others.slice(0, 5).map(({ row }) => (found.length === 0 ? (row.name ?? row.id) : row.volume));
  throw new UsageError(
    `${word} ${what}: expected the volume of a run, its name or the beginning of its id` +
      `${known.length === 0 ? '' : ` (${known.join(', ')}${others.length > known.length ? ', …' : ''})`}.`,
  );
}

async function volumesBelow(folder: string, depth: number): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    if (depth < MOST_DEPTH) return [];
    const found = errorCode(cause) === 'ENOTDIR' ? 'a file' : 'no such folder';
    throw new DataError({ file: folder, expected: 'a folder of runs', found }, { cause });
  });
  if (entries.some(({ name }) => name === 'run.json')) return [folder];
  if (depth === 0) return [];
  const inner = entries.filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
  );
  const found = await Promise.all(inner.map(({ name }) => volumesBelow(join(folder, name), depth - 1)));
  return found.flat();
}

function rowOf(volume: string, { run, rounds, state }: RunRecords): RunRow {
  const { id, name, tags, createdAt, settings } = run;
  const { dataset, model, federation } = settings;
  const tested = rounds.flatMap(({ evaluation }) => (evaluation === undefined ? [] : [evaluation]));
  const last = tested.at(-1);
  const { metric, value } = last === undefined ? {} : leadingFigure(last, targetOf(federation));
  const metrics = last?.metrics;
  return {
    id,
    ...(name === undefined ? {} : { name }),
    ...(tags === undefined ? {} : { tags }),
    ...{ createdAt, volume, dataset: dataset.name, model: modelTitle(model), clients: federation.clients },
    ...{ rounds: tested.length, most: federation.rounds },
    ...(metric === undefined || value === undefined || Number.isNaN(value) ? {} : { metric, value }),
    ...(last === undefined ? {} : { loss: last.loss, sha256: last.model }),
    ...(metrics === undefined ? {} : { metrics }),
    state: stateOf(state),
  };
}

function stateOf(state: RunRecords['state']): RunRow['state'] {
  if (state?.kind !== 'failed') return state?.kind ?? 'begun';
  return state.failure.exitCode === ExitCode.interrupted ? 'interrupted' : 'failed';
}

/** A table of at most `width` columns, a run each row. */
export function formatRows(rows: readonly RunRow[], width: number): string {
  const hasNames = rows.some(({ name }) => name !== undefined);
  const hasTags = rows.some(({ tags }) => tags !== undefined);
  return formatColumns(rows, {
    columns: [
      ['begun', 3, ({ createdAt }) => createdAt.slice(0, 16).replace('T', ' ')],
      ...(hasNames ? [['name', 0, ({ name = '' }: RunRow) => name] as const] : []),
      ['run', hasNames ? 5 : 0, ({ id }) => id],
      ...(hasTags ? [['tags', 4, ({ tags = [] }: RunRow) => tags.join(' ')] as const] : []),
      ['data', 6, ({ dataset }) => basename(dataset)],
      ['model', 2, ({ model }) => model],
      ['rounds', 0, ({ rounds, most }) => (rounds === most ? `${rounds}` : `${rounds} of ${most}`)],
      ['result', 0, ({ metric, value }) => (value === undefined ? '' : `${metric} ${value.toFixed(4)}`)],
      ['state', 0, ({ state }) => state],
    ],
    width,
  });
}
