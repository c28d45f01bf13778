/** An optimizer out of Keras' JSON, in the dialects of Keras 1, 2 and 3. */

import { ModelError } from '../../core/errors.js';
import { asKerasObject, asTyped, type KerasObject, KerasSettings, quote } from '../keras/keras-settings.js';
import { type LayerSetting, numberWithin } from '../layers/settings.js';
import type { CommonSettings } from './optimizer-module.js';
import { OPTIMIZER_NAMES, OPTIMIZERS, type OptimizerName } from './optimizer-names.js';
import { hasSetting, type OptimizerSettings, optimizerModule } from './registry.js';
import { readSchedule, SCHEDULE_NAMES } from './schedules.js';

const learningRate = numberWithin({
  keys: ['learning_rate', 'lr'],
  expected: 'a number of at least 0',
  isIn: (value) => value >= 0,
});

/** Off where Keras says none, or 0. */
const optionalNumber = (key: string): LayerSetting<number> =>
  numberWithin({ keys: [key], expected: 'a number of at least 0', fallback: 0, isIn: (value) => value >= 0 });

/** What all of Keras' optimizers have beside a learning rate. */
const COMMON: Readonly<Record<string, LayerSetting<number>>> = {
  weightDecay: optionalNumber('weight_decay'),
  clipGradientValue: optionalNumber('clipvalue'),
  clipGradientNorm: optionalNumber('clipnorm'),
  clipGradientGlobalNorm: optionalNumber('global_clipnorm'),
};

/** The optimizer in Keras' JSON. @throws {ModelError} for one, or a setting of one, that we do not know */
export function readOptimizer(
  className: string,
  config: Readonly<Record<string, unknown>>,
): OptimizerSettings {
  // Keras 2.11 to 2.15 write its own classes as custom ones.
  const name = className.replace(/^Custom>/, '');
  const settings = new KerasSettings(`optimizer ${name}`, config);
  // Of mixed precision: it scales the loss up and the gradients down again.
  const inner = name === 'LossScaleOptimizer' ? asKerasObject(config.inner_optimizer) : undefined;
  if (inner !== undefined) return readOptimizer(inner.class_name, inner.config);
  const kind = OPTIMIZER_NAMES.find((each) => optimizerModule({ kind: each }).keras === name);
  if (kind === undefined) {
    const known = OPTIMIZER_NAMES.map((each) => optimizerModule({ kind: each }).keras);
    throw new ModelError(
      `the optimizer ${name} is not one of ${known.slice(0, -1).join(', ')} and ${known.at(-1)}`,
    );
  }
  settings.ignore('ema_momentum', 'ema_overwrite_frequency', 'jit_compile', 'is_legacy_optimizer');
  settings.ignore('loss_scale_factor');
  const optimizer = {
    kind,
    ...readLearningRate(settings, config.learning_rate),
    ...readEach(optimizerModule({ kind }).settings, settings),
    ...withoutOff(readEach(COMMON, settings)),
  };
  settings.requireAllRead();
  return optimizer as OptimizerSettings;
}

/** The JSON of an optimizer whose learning rate stays, in the dialect of Keras 2 and 3: what is not Keras' default. */
export function writeOptimizer({
  kind,
  learningRate,
  ...settings
}: Omit<OptimizerSettings, 'schedule'>): KerasObject {
  const { keras, settings: own } = optimizerModule({ kind });
  const given: Readonly<Record<string, unknown>> = settings;
  const unset = new KerasSettings(kind, {});
  // JSON has no 0.0, and Keras 3 takes no 0 for one: a default goes unsaid.
  const fields = Object.entries({ ...own, ...COMMON }).filter(
    ([field, { read }]) => given[field] !== undefined && given[field] !== read(unset),
  );
  const written = fields.map(([field, { keys }]) => [keys[0], given[field]]);
  return {
    class_name: keras,
    config: { name: keras, learning_rate: learningRate, ...Object.fromEntries(written) },
  };
}

/** An optimizer with Keras' defaults, but for what is given. */
export function defaultOptimizer(
  kind: OptimizerName,
  {
    momentum,
    nesterov,
    ...given
  }: Partial<CommonSettings> & { readonly momentum?: number; readonly nesterov?: boolean },
): OptimizerSettings {
  const asked = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const common = { ...OPTIMIZERS[kind], ...asked };
  const own = readEach(optimizerModule({ kind }).settings, new KerasSettings(kind, {}));
  const withMomentum = momentum !== undefined && hasSetting(kind, 'momentum') ? { momentum } : {};
  const withNesterov = nesterov === true && hasSetting(kind, 'nesterov') ? { nesterov } : {};
  return { kind, ...withoutOff(common), ...own, ...withMomentum, ...withNesterov } as OptimizerSettings;
}

function readLearningRate(settings: KerasSettings, given: unknown): Partial<CommonSettings> {
  const schedule = asKerasObject(given);
  const decay = asTyped(optionalNumber('decay').read(settings));
  if (schedule === undefined) {
    const rate = asTyped(learningRate.read(settings));
    // Of Keras before 2.11, for all optimizers.
    const fall = { name: 'InverseTimeDecay', steps: 1, rate: decay } as const;
    return { learningRate: rate, ...(decay === 0 ? {} : { schedule: fall }) };
  }
  settings.ignore('learning_rate');
  const { class_name: name, config } = schedule;
  const found = readSchedule(schedule, new KerasSettings(`learning rate schedule ${name}`, config));
  if (found !== undefined) return found;
  throw new ModelError(
    `${settings.where}: learning_rate ${quote(given)} is not supported, only a number or one of the schedules ${SCHEDULE_NAMES.join(', ')}`,
  );
}

function readEach(
  declared: Readonly<Record<string, LayerSetting<unknown>>>,
  settings: KerasSettings,
): Readonly<Record<string, unknown>> {
  const fields = Object.entries(declared).map(([field, each]) => {
    const value = each.read(settings);
    return [field, typeof value === 'number' ? asTyped(value) : value] as const;
  });
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

/** Without what is 0, and so off; a learning rate may be 0. */
function withoutOff(common: Readonly<Record<string, unknown>>): Partial<CommonSettings> {
  return Object.fromEntries(
    Object.entries(common).filter(([name, value]) => value !== 0 || name === 'learningRate'),
  );
}
