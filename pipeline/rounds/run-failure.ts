/** The failure of a run as its record has it, so that whoever finds the volume later reads what the user saw. */
import { StageError, ThresholdError, toErrorMessage } from '../../lib/core/errors.js';
import { metricIn, reaches, type TestFigures, type Threshold } from '../../lib/federation/metrics.js';
import { nextStep, type RunFailure } from '../../lib/formats/run-results.js';

/** Where a run is. */
export interface Place {
  readonly stage: string;
  readonly round?: number | undefined;
}

/** The facts of `error`, thrown at `place`. */
export function failureOf(error: unknown, place: Place): RunFailure {
  const { exitCode, message: reason } = toErrorMessage(error);
  const { client } = error instanceof StageError ? error : {};
  const next = error instanceof AccuracyError ? error.next : nextStep(exitCode);
  return {
    stage: place.stage,
    ...(place.round === undefined ? {} : { round: place.round }),
    ...(client === undefined ? {} : { client }),
    ...{ exitCode, reason, next },
  };
}

/** A finished run whose model is not as good as was asked for. */
class AccuracyError extends ThresholdError {
  readonly next: string;

  constructor(message: string, flag: string) {
    super(message);
    this.next = `The run is finished, and its model lies there: train for more rounds or epochs, or ask for less with ${flag}.`;
  }
}

/** What a model has to reach, as it is asked for. */
export interface Required {
  /** 0 asks for nothing. */
  readonly minAccuracy?: number | undefined;
  readonly minMetric?: Threshold | undefined;
}

/** What is wrong with a test that misses what is required; undefined where nothing is. */
export function missedRequirement(
  found: TestFigures,
  { minAccuracy = 0, minMetric }: Required,
): ThresholdError | undefined {
  const accuracy = metricIn(found, 'accuracy');
  if (minAccuracy > 0 && !(accuracy >= minAccuracy)) {
    const what = Number.isNaN(accuracy)
      ? `There is no accuracy of ${found.task}, and it`
      : `The accuracy ${accuracy}`;
    return new AccuracyError(`${what} is below the required ${minAccuracy}.`, '--min-accuracy');
  }
  if (minMetric === undefined) return undefined;
  const value = metricIn(found, minMetric.metric);
  if (reaches(value, minMetric)) return undefined;
  const what = Number.isNaN(value)
    ? `The test found no ${minMetric.metric}, but ${listMetrics(found)}: it`
    : `The ${minMetric.metric} ${value}`;
  return new AccuracyError(`${what} misses the required ${minMetric.value}.`, '--min-metric');
}

const listMetrics = ({ metrics = {} }: TestFigures) => Object.keys(metrics).join(', ');
