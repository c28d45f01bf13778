/** How a layer is trained where the file says more than its gradients: frozen, regularizers, constraints; read for all alike. */
import { asKerasObject, type KerasObject, quote } from '../keras/keras-settings.js';

/** l1 · Σ|x| + l2 · Σx². */
export interface Penalty {
  readonly l1: number;
  readonly l2: number;
}

/** What weights are brought back to after each step: numbers of at least 0, or vectors along `axes` of a length within bounds. */
export type Constraint =
  | { readonly kind: 'non-negative' }
  | {
      readonly kind: 'norm';
      readonly least: number;
      readonly most: number;
      /** How far a step goes back to the bounds: 1 is all the way. */
      readonly rate: number;
      readonly axes: readonly number[];
    };

/** What training does with one parameter array beside its gradient. */
export interface ParameterTraining {
  readonly regularizer?: Penalty;
  readonly constraint?: Constraint;
}

/** What a layer asks of training. */
export interface LayerTraining {
  /** Its weights stay, and its moving statistics are used as they are. */
  readonly isFrozen?: true;
  /** Of its arrays by Keras' names: `kernel`, `bias`, `recurrent`, … */
  readonly parameters?: Readonly<Record<string, ParameterTraining>>;
  /** On what the layer gives out. */
  readonly activity?: Penalty;
}

/** Settings of an array that are obeyed, by the name before the `_`. */
const SETTING =
  /^(kernel|bias|gamma|beta|recurrent|depthwise|pointwise|embeddings|alpha)_(regularizer|constraint)$/;

/** Keras' default of l1 and l2, where a file says no more than the name. */
const PENALTY = 0.01;
const REGULARIZERS: Readonly<Record<string, Penalty>> = {
  l1: { l1: PENALTY, l2: 0 },
  l2: { l1: 0, l2: PENALTY },
  l1_l2: { l1: PENALTY, l2: PENALTY },
};

/** What a layer's JSON asks of training, and the settings in it that are not known; `where` is how messages call the layer. */
export function readTraining(
  where: string,
  { config }: Pick<KerasObject, 'config'>,
): {
  readonly training: LayerTraining | undefined;
  readonly obstacles: readonly string[];
  readonly known: readonly string[];
} {
  const parameters: Record<string, ParameterTraining> = {};
  const obstacles: string[] = [];
  const known: string[] = [];
  let activity: Penalty | undefined;
  for (const [key, value] of Object.entries(config)) {
    const [, name = '', what] = SETTING.exec(key) ?? [];
    if ((name === '' && key !== 'activity_regularizer') || value === null || value === undefined) continue;
    known.push(key);
    const read = what === 'constraint' ? readConstraint(value) : readRegularizer(value);
    if (read === undefined) obstacles.push(`${where} has a setting ${key} ${quote(value)}`);
    else if (key === 'activity_regularizer') activity = read as Penalty;
    else parameters[name] = { ...parameters[name], [what as 'constraint']: read as Constraint };
  }
  const training = {
    ...(config.trainable === false ? { isFrozen: true as const } : {}),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(activity === undefined ? {} : { activity }),
  };
  return { training: Object.keys(training).length === 0 ? undefined : training, obstacles, known };
}

/** Before the roles of a layer's arrays in one that runs it both ways. */
const DIRECTION = /^(forward|backward)_/;

/** What a layer asks of one of its arrays. */
export function parameterTraining({ parameters = {} }: LayerTraining, role: string): ParameterTraining {
  const [last = ''] = role.replace(DIRECTION, '').split('/').slice(-1);
  return parameters[last] ?? parameters[last.replace(/_kernel$/, '')] ?? {};
}

/** As a layer's JSON in Keras. */
export function writeTraining({
  isFrozen,
  parameters = {},
  activity,
}: LayerTraining): Readonly<Record<string, unknown>> {
  const settings = Object.entries(parameters).flatMap(([name, { regularizer, constraint }]) => [
    ...(regularizer === undefined ? [] : [[`${name}_regularizer`, writeRegularizer(regularizer)] as const]),
    ...(constraint === undefined ? [] : [[`${name}_constraint`, writeConstraint(constraint)] as const]),
  ]);
  return {
    ...(isFrozen === true ? { trainable: false } : {}),
    ...Object.fromEntries(settings),
    ...(activity === undefined ? {} : { activity_regularizer: writeRegularizer(activity) }),
  };
}

const writeRegularizer = ({ l1, l2 }: Penalty) => ({ class_name: 'L1L2', config: { l1, l2 } });

function writeConstraint(constraint: Constraint): KerasObject {
  if (constraint.kind === 'non-negative') return { class_name: 'NonNeg', config: {} };
  const { least, most, rate, axes } = constraint;
  const axis = axes.length === 1 ? axes[0] : axes;
  return { class_name: 'MinMaxNorm', config: { min_value: least, max_value: most, rate, axis } };
}

function readRegularizer(value: unknown): Penalty | undefined {
  if (typeof value === 'string') return Object.hasOwn(REGULARIZERS, value) ? REGULARIZERS[value] : undefined;
  const { class_name: name = '', config = {} } = asKerasObject(value) ?? {};
  if (!/^(L1|L2|L1L2)$/.test(name)) return undefined;
  const { l1 = name === 'L1' ? PENALTY : 0, l2 = name === 'L2' ? PENALTY : 0, ...others } = config;
  const isKnown = isNumber(l1) && isNumber(l2) && Object.keys(others).length === 0;
  return isKnown ? { l1, l2 } : undefined;
}

/** Keras' bounds of each class and of its name, which are those of `MinMaxNorm`. */
const NORMS: Readonly<Record<string, { readonly least: number; readonly most: number }>> = {
  MaxNorm: { least: 0, most: 2 },
  UnitNorm: { least: 1, most: 1 },
  MinMaxNorm: { least: 0, most: 1 },
};
const CONSTRAINT_NAMES: Readonly<Record<string, string>> = {
  max_norm: 'MaxNorm',
  unit_norm: 'UnitNorm',
  min_max_norm: 'MinMaxNorm',
  non_neg: 'NonNeg',
};

function readConstraint(value: unknown): Constraint | undefined {
  const object =
    typeof value === 'string' ? { class_name: CONSTRAINT_NAMES[value], config: {} } : asKerasObject(value);
  const { class_name: name = '', config = {} } = object ?? {};
  if (name === 'NonNeg') return { kind: 'non-negative' };
  const bounds = Object.hasOwn(NORMS, name) ? NORMS[name] : undefined;
  if (bounds === undefined) return undefined;
  const {
    min_value: least = bounds.least,
    max_value: most = bounds.most,
    rate = 1,
    axis = 0,
    ...others
  } = config as Readonly<Record<string, unknown>>;
  const axes = [axis].flat();
  const isKnown =
    [least, most, rate].every(isNumber) &&
    axes.every(Number.isSafeInteger) &&
    Object.keys(others).length === 0;
  return isKnown
    ? {
        kind: 'norm',
        least: least as number,
        most: most as number,
        rate: rate as number,
        axes: axes as number[],
      }
    : undefined;
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
