/** The failure of a run as its record has it, so that whoever finds the volume later reads what the user saw. */
import { ExitCode, isFedbatchError, messageOf, StageError, ThresholdError } from '../../lib/core/errors.js';
import { nextStep, type RunFailure } from '../../lib/formats/results.js';

/** Where a run is. */
export interface Place {
  readonly stage: string;
  readonly round?: number | undefined;
}

/** The facts of `error`, thrown at `place`. */
export function failureOf(error: unknown, place: Place): RunFailure {
  const exitCode = isFedbatchError(error) ? error.exitCode : ExitCode.bug;
  const { client } = error instanceof StageError ? error : {};
  const reason = messageOf(error);
  const next = error instanceof AccuracyError ? error.next : nextStep(exitCode);
  return {
    stage: place.stage,
    ...(place.round === undefined ? {} : { round: place.round }),
    ...(client === undefined ? {} : { client }),
    ...{ exitCode, reason, next },
  };
}

/** A finished run whose accuracy is below what was asked for. */
class AccuracyError extends ThresholdError {
  readonly next =
    'The run is finished, and its model lies there: train for more rounds or epochs, or ask for less with --min-accuracy.';
}

/** What is wrong with an accuracy that is below `required`, or no number; undefined where nothing is. */
export function missedAccuracy(
  { accuracy }: { readonly accuracy: number },
  required: number | undefined,
): ThresholdError | undefined {
  if (required === undefined || accuracy >= required) return undefined;
  return new AccuracyError(`The accuracy ${accuracy} is below the required ${required}.`);
}
