/** The runs below a folder as rows, each read from a few files of its volume, and the table of them. */
import { basename } from 'node:path';
import { DataError } from '../../lib/core/errors.js';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure } from '../../lib/federation/metrics.js';
import { lockHolder } from '../../lib/formats/files/lock-file.js';
import { type FindOptions, type FoundRun, runsBelow } from '../../lib/formats/runs/find-run.js';
import type { RunRow } from '../../lib/formats/runs/run-rows.js';
import { readLastRounds, sessionState } from '../../lib/formats/runs/run-status.js';
import { readSessions } from '../../lib/formats/runs/sessions.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { formatColumns } from '../../lib/observability/format.js';
import { modelTitle } from '../../lib/settings/parts/data.js';

/**
 * The runs below a folder, the newest first; a damaged one is told of and left out.
 *
 * @throws {DataError} where there is no such folder
 */
export async function listRuns(options: FindOptions): Promise<readonly RunRow[]> {
  const rows = (await runsBelow(options)).map((found) =>
    readRow(found).catch((error: unknown) => {
      if (!(error instanceof DataError)) throw error;
      options.warn(`left out: ${error.message}`);
      return undefined;
    }),
  );
  return (await Promise.all(rows)).filter((row) => row !== undefined);
}

/** A run as a row: of many rounds, only the last one's record is read. @throws {DataError} where its events cannot be read */
export async function readRow({ volume, run }: FoundRun): Promise<RunRow> {
  const paths = volumePaths(volume);
  // Before the events are read: a run that ends says so before it lets go of its volume.
  const holder = await lockHolder(paths.lock);
  const { id, name, tags, createdAt, settings } = run;
  const { dataset, model, federation } = settings;
  const { tested, last: { evaluation: last } = {} } = await readLastRounds(paths);
  const { metric, value } = last === undefined ? {} : leadingFigure(last, targetOf(federation));
  const metrics = last?.metrics;
  return {
    id,
    ...(name === undefined ? {} : { name }),
    ...(tags === undefined ? {} : { tags }),
    ...{ createdAt, volume, dataset: dataset.name, model: modelTitle(model), clients: federation.clients },
    ...{ rounds: tested, most: federation.rounds },
    ...(metric === undefined || value === undefined || Number.isNaN(value) ? {} : { metric, value }),
    ...(last === undefined ? {} : { loss: last.loss, sha256: last.model }),
    ...(metrics === undefined ? {} : { metrics }),
    state: sessionState(await readSessions(paths.metrics), holder).state,
  };
}

/** A table of at most `width` columns, a run each row; only names that are longer than that are cut. */
export function formatRows(rows: readonly RunRow[], width: number): string {
  const hasNames = rows.some(({ name }) => name !== undefined);
  const hasTags = rows.some(({ tags }) => tags !== undefined);
  const table = (letters: number) =>
    formatColumns(rows, {
      columns: [
        ['begun', 3, ({ createdAt }) => createdAt.slice(0, 16).replace('T', ' ')],
        ...(hasNames ? [['name', 0, ({ name = '' }: RunRow) => shortened(name, letters)] as const] : []),
        ['run', hasNames ? 5 : 0, ({ id }) => shortened(id, letters)],
        ...(hasTags ? [['tags', 4, ({ tags = [] }: RunRow) => tags.join(' ')] as const] : []),
        ['data', 6, ({ dataset }) => basename(dataset)],
        ['model', 2, ({ model }) => model],
        ['rounds', 0, ({ rounds, most }) => (rounds === most ? `${rounds}` : `${rounds} of ${most}`)],
        ['result', 0, ({ metric, value }) => (value === undefined ? '' : `${metric} ${value.toFixed(4)}`)],
        ['state', 0, ({ state }) => state],
      ],
      width,
    });
  const whole = table(Number.POSITIVE_INFINITY);
  const excess = whole.indexOf('\n') - width;
  const longest = Math.max(...rows.map(({ name, id }) => (hasNames ? (name ?? '') : id).length));
  return excess > 0 && longest - excess > 8 ? table(longest - excess) : whole;
}

const shortened = (text: string, letters: number): string =>
  text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
