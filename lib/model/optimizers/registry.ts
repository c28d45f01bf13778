/** All optimizers that there are: to add one, write its module and name it here. */
import { type AdadeltaSettings, adadelta } from './adadelta.js';
import { type AdagradSettings, adagrad } from './adagrad.js';
import { type AdamSettings, adam, adamW } from './adam.js';
import { type AdamaxSettings, adamax } from './adamax.js';
import { type LionSettings, lion } from './lion.js';
import { type NadamSettings, nadam } from './nadam.js';
import type { OptimizerModule } from './optimizer-module.js';
import type { OptimizerName } from './optimizer-names.js';
import { type RmspropSettings, rmsprop } from './rmsprop.js';
import { scheduleFactor } from './schedules.js';
import { type SgdSettings, sgd } from './sgd.js';

/** An optimizer and all that it is told, as Keras defines it. */
export type OptimizerSettings =
  | AdamSettings
  | SgdSettings
  | RmspropSettings
  | AdagradSettings
  | AdamaxSettings
  | NadamSettings
  | AdadeltaSettings
  | LionSettings;

const MODULES = {
  adam,
  sgd,
  adamw: adamW,
  rmsprop,
  adagrad,
  adamax,
  nadam,
  adadelta,
  lion,
} satisfies Readonly<Record<OptimizerName, OptimizerModule<never>>>;

/** What is known of an optimizer. */
export const optimizerModule = ({ kind }: { readonly kind: OptimizerName }): OptimizerModule => MODULES[kind];

/** Whether an optimizer has a setting beside the common ones. */
export const hasSetting = (kind: OptimizerName, name: string): boolean =>
  Object.hasOwn(MODULES[kind].settings, name);

/** The numbers of optimizer step `step` (from 1), by name; beside the module's, `decay` where weights decay. */
export function optimizerRates(settings: OptimizerSettings, step: number): Readonly<Record<string, number>> {
  const { schedule, weightDecay = 0 } = settings;
  const learningRate = settings.learningRate * (schedule === undefined ? 1 : scheduleFactor(schedule, step));
  const rates = optimizerModule(settings).rates(settings, { learningRate, step });
  return weightDecay === 0 ? rates : { ...rates, decay: learningRate * weightDecay };
}
