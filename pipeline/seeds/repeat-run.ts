/**
 * `fedbatch run --seeds`: the same run with several seeds, one after the other, each on a volume of its own within one;
 * mean and spread of what they report.
 */
import { resolve } from 'node:path';
import { deviation, extent, mean } from 'd3-array';
import { packageVersion } from '../../lib/cli/version.js';
import { UsageError } from '../../lib/core/errors.js';
import { writeWhile } from '../../lib/formats/files/atomic-file.js';
import {
  type Figure,
  type Figures,
  type RepeatedRun,
  writeRepeatedRun,
} from '../../lib/formats/repeated-run.js';
import { type RoundRecord, readRoundRecord } from '../../lib/formats/run-record.js';
import { runId } from '../../lib/formats/runs/find-run.js';
import { RUNS, repeatedPaths, volumePaths } from '../../lib/formats/volume.js';
import { givenLabels } from '../../lib/settings/value-type.js';
import type { GroupEnding } from '../../observe/watcher.js';
import { callPipeline, localSettings, type RunAsked } from '../call.js';
import { reportStage } from '../conclude-stage.js';
import { threadsOf } from '../local-run.js';
import { openRunVolume } from '../record/run-volume.js';
import { type RunResult, resultFacts } from '../rounds/summary.js';
import type { StageContext } from '../rounds/target.js';
import { withHashes } from '../run.js';

/** A run that was repeated. */
export interface Repeated {
  /** Absolute path of the volume of all. */
  readonly volume: string;
  readonly record: RepeatedRun;
  /** The last of the runs. */
  readonly last: RunResult;
}

/**
 * Runs the job once for each seed, from that of the settings on, and keeps mean and standard deviation of what the runs
 * came to in `seeds.json`. What an earlier call has finished is recognised, with fewer seeds too.
 *
 * @throws {FedbatchError} as `callPipeline` does, for the run that fails: those before it are on record
 */
export async function repeatRun(
  { seeds, ...request }: RunAsked & { readonly seeds: number },
  context: StageContext,
): Promise<Repeated> {
  const { asked, fresh, threads, stages } = request;
  const settings = await withHashes(await localSettings(request));
  if (!Number.isSafeInteger(settings.seed + seeds)) {
    throw new UsageError(
      `${asked.named('seed')} ${settings.seed} is too large for ${seeds} seeds from there on.`,
    );
  }
  const id = `${runId(settings)}-seeds`;
  const root = resolve(request.volume ?? `${RUNS}/${id}`);
  const places = repeatedPaths(root);
  const paths = { ...volumePaths(root), run: places.record };
  const volume = await openRunVolume({
    paths,
    facts: {
      ...{ id, settings, threads: threadsOf(settings, threads), ...givenLabels(request.labels ?? {}) },
      versions: { fedbatch: packageVersion(), node: process.versions.node },
    },
    ...{ requiresThreads: threads !== undefined, named: asked.named, fresh, reporter: context.reporter },
  });
  const { id: group, name, createdAt } = volume.record;
  const partOf = { kind: 'seeds', id: group, name, createdAt } as const;
  const tellEnd = async (state: GroupEnding['state'], figures: Figures) => {
    const { tellGroupEnd } = await import('../../observe/open-watchers.js');
    const told = Object.entries(figures).flatMap(([place, { mean, sd }]) => [
      [`${place}.mean`, mean] as const,
      ...(sd === null ? [] : [[`${place}.sd`, sd] as const]),
    ]);
    const files = [paths.report, paths.run];
    const ending = { state, figures: Object.fromEntries(told), facts: { seeds: `${seeds}` }, files };
    await tellGroupEnd(asked.given, { group: partOf, ending, reporter: context.reporter });
  };
  try {
    const results: { readonly seed: number; readonly result: RunResult }[] = [];
    for (let at = 0; at < seeds; at++) {
      const seed = settings.seed + at;
      context.reporter.info(`Seed ${seed}, run ${at + 1} of ${seeds}`);
      // What the mean misses is no failure of one run.
      const one = { ...request, partOf, minAccuracy: undefined, minMetric: undefined };
      const given = { ...asked, given: { ...asked.given, seed } };
      const result = await callPipeline({ ...one, asked: given, volume: places.volume(seed) }, context);
      results.push({ seed, result });
      const record = await recordOf(volume.record, results);
      await writeWhile(volume.requireHeld, () => writeRepeatedRun(places.record, record));
    }
    await reportStage({ ...context, paths, stages });
    const { result: last } = results.at(-1) as (typeof results)[number];
    const record = await recordOf(volume.record, results);
    await tellEnd('finished', record.figures);
    return { volume: root, record, last };
  } catch (error) {
    await tellEnd(context.signal.aborted ? 'interrupted' : 'failed', {});
    throw error;
  } finally {
    volume.release();
  }
}

async function recordOf(
  run: Omit<RepeatedRun, 'runs' | 'figures' | 'course'>,
  results: readonly { readonly seed: number; readonly result: RunResult }[],
): Promise<RepeatedRun> {
  const runs = results.map(({ seed, result }) => ({ seed, ...resultFacts(result) }));
  const figures = figuresOf(runs.map(({ seed, ...facts }) => facts));
  return { ...run, runs, figures, course: await courseOf(runs) };
}

/** What the tests after each round found, over all runs that had the round. */
async function courseOf(
  runs: readonly { readonly volume: string; readonly rounds: number }[],
): Promise<RepeatedRun['course']> {
  const rounds = Math.max(...runs.map((run) => run.rounds));
  const course: RepeatedRun['course'][number][] = [];
  for (let round = 1; round <= rounds; round++) {
    const tests = await Promise.all(
      runs
        .filter((run) => run.rounds >= round)
        .map(
          async ({ volume }) => (await readRoundRecord(volumePaths(volume).round(round).record)).evaluation,
        ),
    );
    const found = tests.flatMap((test) => (test === undefined ? [] : [figuresIn(test)]));
    course.push({ round, figures: figuresOf(found) });
  }
  return course;
}

/** What of a test tells how good the model is. */
const figuresIn = ({ accuracy, loss, metrics, acrossClients }: NonNullable<RoundRecord['evaluation']>) => ({
  ...{ accuracy, loss, metrics, acrossClients },
});

/**
 * The figures of several results, by their places in them (`best.accuracy`), in the order in which they occur. Switches
 * count as 0 and 1; what is no finite number, or stands in a list, is left out.
 */
export function figuresOf(results: readonly object[]): Figures {
  const found = new Map<string, number[]>();
  for (const result of results) {
    for (const [place, value] of numbersIn(result)) found.set(place, [...(found.get(place) ?? []), value]);
  }
  return Object.fromEntries([...found].map(([place, values]) => [place, figureOf(values)]));
}

/** Of at least one value. */
function figureOf(values: readonly number[]): Figure {
  const [least = Number.NaN, most = Number.NaN] = extent(values);
  const sd = deviation(values) ?? null;
  return { mean: mean(values) ?? Number.NaN, sd, least, most, runs: values.length };
}

function* numbersIn(result: object, prefix = ''): Generator<readonly [place: string, value: number]> {
  for (const [name, value] of Object.entries(result) as readonly (readonly [string, unknown])[]) {
    const place = `${prefix}${name}`;
    if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) {
      yield [place, Number(value)];
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      yield* numbersIn(value, `${place}.`);
    }
  }
}
