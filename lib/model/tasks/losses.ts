/** The registry of losses, and what a model has to be for one. */

import { ModelError } from '../../core/errors.js';
import {
  LOSS_NAMES,
  type Losses,
  type LossName,
  type LossSettings,
  type OutputLoss,
} from '../../federation/loss.js';
import type { ModelDescription } from '../model-description.js';
import { type OperationPlan, operationsBefore, planOperations } from '../operations.js';
import { binaryCrossEntropy, categoricalCrossEntropy } from './cross-entropies.js';
import type { LossModule } from './loss-module.js';
import {
  huber,
  logCosh,
  meanAbsoluteError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
} from './regression-losses.js';

const MODULES: Readonly<Record<LossName, LossModule>> = {
  categorical_crossentropy: categoricalCrossEntropy,
  binary_crossentropy: binaryCrossEntropy,
  mse: meanSquaredError,
  mae: meanAbsoluteError,
  huber,
  poisson,
  log_cosh: logCosh,
  msle: meanSquaredLogarithmicError,
};

/** The loss of this name. */
export const lossModule = ({ name }: Pick<LossSettings, 'name'>): LossModule => MODULES[name];

/** The losses of a model's outputs: the given one of each, or that which goes with the activation it ends in. */
export function outputLosses(description: ModelDescription, given?: Losses): readonly OutputLoss[] {
  return description.outputs.map((_, at) => lossAt(given, at) ?? defaultLoss(description, at));
}

/** The loss of one output. */
export const lossAt = (losses: Losses | undefined, at: number): OutputLoss | undefined =>
  losses === undefined || 'name' in losses ? losses : losses[at];

/** The loss of an output of which nothing else is said: its activation tells it. */
export function defaultLoss(description: ModelDescription, at = 0): LossSettings {
  const plan = planOperations(description);
  const ofLogits = LOSS_NAMES.find((name) => {
    const { logitsOf } = MODULES[name];
    return logitsOf && operationsBefore(plan, logitsOf, at);
  });
  return { name: ofLogits ?? 'mse' };
}

/**
 * The operations from whose outputs losses are computed in a graph: without the activations that make probabilities of
 * logits, where a loss takes logits.
 *
 * @throws {ModelError} where a loss takes probabilities, and the model gives none
 */
export function lossOperations(plan: OperationPlan, losses: readonly LossSettings[]): OperationPlan {
  return losses.reduce((left, settings, at) => {
    const { logitsOf } = lossModule(settings);
    if (logitsOf === undefined || settings.fromLogits) return left;
    const found = operationsBefore(left, logitsOf, at);
    if (found === undefined) throw new ModelError(`the last layer of the model must be a ${logitsOf}`);
    return found;
  }, plan);
}
