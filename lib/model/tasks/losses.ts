/** All losses, and a loss as text: `huber:delta=0.5`, as flags and records have it. */
import type { ModelDescription } from '../model-description.js';
import { ModelError } from '../model-error.js';
import { type OperationPlan, operationsBefore, planOperations } from '../operations.js';
import { binaryCrossEntropy, categoricalCrossEntropy } from './cross-entropies.js';
import type { LossModule, LossName, LossSettings } from './loss-module.js';
import {
  huber,
  meanAbsoluteError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
} from './regression-losses.js';

const LOSSES: readonly LossModule[] = [
  categoricalCrossEntropy,
  binaryCrossEntropy,
  meanSquaredError,
  meanAbsoluteError,
  huber,
  poisson,
  meanSquaredLogarithmicError,
];

/** The names of all losses. */
export const LOSS_NAMES: readonly LossName[] = LOSSES.map(({ name }) => name);

/** The loss of this name. */
export function lossModule({ name }: Pick<LossSettings, 'name'>): LossModule {
  return LOSSES.find((loss) => loss.name === name) as LossModule;
}

/** The loss that has this name here or in Keras, whatever the case and the underscores; undefined for no loss of ours. */
export function lossNamed(name: string): LossModule | undefined {
  const plain = (text: string) => text.replaceAll('_', '').toLowerCase();
  return LOSSES.find((loss) => [loss.name, ...loss.kerasNames].some((each) => plain(each) === plain(name)));
}

/** The losses of a model's outputs: the given one of each, or that which goes with the activation it ends in. */
export function outputLosses(description: ModelDescription, given?: LossSettings): readonly LossSettings[] {
  return description.outputs.map((_, at) => given ?? defaultLoss(description, at));
}

/** The loss of an output of which nothing else is said: its activation tells it. */
export function defaultLoss(description: ModelDescription, at = 0): LossSettings {
  const plan = planOperations(description);
  const ofLogits = LOSSES.find(({ logitsOf }) => logitsOf && operationsBefore(plan, logitsOf, at));
  return { name: ofLogits?.name ?? 'mse' };
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

/** Each parameter by its name in a text, and in Keras: what its values are. */
const LOSS_PARAMETERS = {
  fromLogits: { key: 'from_logits', isIn: (value: number) => value === 0 || value === 1 },
  labelSmoothing: { key: 'label_smoothing', isIn: (value: number) => value >= 0 && value < 1 },
  delta: { key: 'delta', isIn: (value: number) => value > 0 && Number.isFinite(value) },
} as const satisfies Readonly<
  Record<
    LossModule['parameters'][number],
    { readonly key: string; readonly isIn: (value: number) => boolean }
  >
>;

/** Reads `mse`, `huber:delta=0.5`, `binary_crossentropy:from_logits,label_smoothing=0.1`; undefined for anything else. */
export function parseLoss(text: string): LossSettings | undefined {
  const [name = '', parameters] = text.split(':', 2);
  const loss = lossNamed(name.trim());
  if (loss === undefined) return undefined;
  let settings: LossSettings = { name: loss.name };
  for (const each of parameters?.split(',') ?? []) {
    const [key = '', value = '1'] = each.split('=', 2).map((part) => part.trim());
    const parameter = loss.parameters.find((known) => LOSS_PARAMETERS[known].key === key);
    if (parameter === undefined || value === '' || !LOSS_PARAMETERS[parameter].isIn(Number(value)))
      return undefined;
    settings = { ...settings, [parameter]: parameter === 'fromLogits' ? value === '1' : Number(value) };
  }
  return settings;
}

/** Writes a loss as {@link parseLoss} reads it. */
export function writeLoss(settings: LossSettings): string {
  const { name, parameters } = lossModule(settings);
  const given = parameters.flatMap((parameter) => {
    const value = settings[parameter];
    if (value === undefined || value === false || value === 0) return [];
    const { key } = LOSS_PARAMETERS[parameter];
    return [value === true ? key : `${key}=${value}`];
  });
  return given.length === 0 ? name : `${name}:${given.join(',')}`;
}
