/** The whole job as a call, once or with several seeds. */

import { join } from 'node:path';
import { parseThreshold } from '../lib/federation/metrics.js';
import type { RepeatedRun } from '../lib/formats/repeated-run.js';
import type { RunSummary } from '../lib/formats/run-results.js';
import { ALL_PARTS } from '../lib/settings/table.js';
import { type CallOptions, call } from './call.js';
import { askedBy, type GivenRunSettings, type OwnOptions, runLabelsOf } from './settings.js';

/** What to run, and where. */
export interface RunCall extends GivenRunSettings, CallOptions {
  /** Directory of the run's files; by default `runs/<run id>` below the working directory. */
  readonly volume?: string | undefined;
  /** Trainers side by side at most; by default as many as fit on the cores. */
  readonly jobs?: number | undefined;
  /** Threads of each trainer; by default those with which all clients are done soonest. */
  readonly threads?: number | undefined;
  /** What lists of runs call it; nothing depends on it. */
  readonly name?: string | undefined;
  /** Words by which `npx fedbatch runs` finds it. */
  readonly tags?: readonly string[] | undefined;
  /** Start over: remove the files of the run in the volume. */
  readonly fresh?: boolean | undefined;
  /** The call is rejected below this accuracy, once the run is finished. */
  readonly minAccuracy?: number | undefined;
  /** The same of a metric, e.g. `rmse=3.2`: of at least this accuracy, at most this error. */
  readonly minMetric?: string | undefined;
}

/** Its names beside settings. */
const OPTIONS = ['volume', 'jobs', 'threads', 'fresh', 'minAccuracy', 'minMetric', 'name', 'tags'] as const;

/** A finished run, and where its models are. */
export interface FinishedRun extends RunSummary {
  /** The newest global model (Keras HDF5). */
  readonly model: string;
  /** The best one on the held-out examples. */
  readonly bestModel: string;
}

/**
 * Runs the whole job: split, train every client, aggregate, test, for as many rounds as are asked for. The stages are
 * processes of their own. The same settings on the same volume resume what an earlier run has left.
 *
 * @throws {UsageError} for settings that make no sense, or a volume that holds something else
 * @throws {DataError} for a dataset that is invalid
 * @throws {ThresholdError} when a quorum, `minAccuracy` or `minMetric` is missed
 * @throws {StageError} when a stage fails
 */
export function run(options: RunCall = {}): Promise<FinishedRun> {
  return call(options, async (context) => {
    const { request, required } = requestOf(options, { takes: OPTIONS });
    const { callPipeline } = await import('../pipeline/call.js');
    const { wholeResult } = await import('../pipeline/rounds/summary.js');
    const { missedRequirement } = await import('../pipeline/rounds/run-failure.js');
    const result = await callPipeline({ ...request, ...required }, context);
    const missed = missedRequirement(result.last.evaluation, required);
    if (missed !== undefined) throw missed;
    return {
      ...wholeResult(result),
      model: join(result.volume, 'aggregated-model.h5'),
      bestModel: join(result.volume, 'best-model.h5'),
    };
  });
}

/** What to repeat, and how often. */
export interface RepeatedCall extends RunCall {
  /** Number of seeds, from `seed` on; at least 2. */
  readonly seeds: number;
}

/**
 * Runs the job once for each seed, one after the other, each on a volume of its own within `volume`, and tells mean and
 * standard deviation of all that the runs report. `minAccuracy` and `minMetric` judge the mean.
 *
 * @throws {FedbatchError} as `run` does, for the run that fails: those before it are on record, and are not run again
 */
export function runSeeds(options: RepeatedCall): Promise<RepeatedRun> {
  return call(options, async (context) => {
    const { request, required } = requestOf(options, { takes: [...OPTIONS, 'seeds'], needs: ['seeds'] });
    const { repeatRun } = await import('../pipeline/seeds/repeat-run.js');
    const { missedByMean } = await import('../pipeline/seeds/summary.js');
    const repeated = await repeatRun({ ...request, ...required, seeds: options.seeds }, context);
    const missed = missedByMean(repeated, required);
    if (missed !== undefined) throw missed;
    return repeated.record;
  });
}

/** What the pipeline is asked for, and what its result has to reach. */
function requestOf(options: RunCall, own: OwnOptions) {
  const { volume, jobs, threads, fresh = false, minAccuracy } = options;
  const minMetric = options.minMetric === undefined ? undefined : parseThreshold(options.minMetric);
  const asked = askedBy(options, ALL_PARTS, own);
  return {
    request: { asked, volume, jobs, threads, fresh, labels: runLabelsOf(options) },
    required: { minAccuracy, minMetric },
  };
}
