/** Losses by name, their parameters, and a loss as text: `huber:delta=0.5`, as flags and records have it. */
import type { TargetKind, TargetKinds } from './examples.js';

/** Each loss: its names in Keras, functions and classes, and its parameters. */
const LOSSES = {
  categorical_crossentropy: {
    keras: ['sparse_categorical_crossentropy', 'SparseCategoricalCrossentropy', 'CategoricalCrossentropy'],
    parameters: ['fromLogits', 'labelSmoothing'],
  },
  binary_crossentropy: { keras: ['BinaryCrossentropy'], parameters: ['fromLogits', 'labelSmoothing'] },
  mse: { keras: ['mean_squared_error', 'MeanSquaredError'], parameters: [] },
  mae: { keras: ['mean_absolute_error', 'MeanAbsoluteError'], parameters: [] },
  huber: { keras: ['huber_loss', 'Huber'], parameters: ['delta'] },
  poisson: { keras: ['Poisson'], parameters: [] },
  log_cosh: { keras: ['LogCosh'], parameters: [] },
  msle: { keras: ['mean_squared_logarithmic_error', 'MeanSquaredLogarithmicError'], parameters: [] },
} as const satisfies Readonly<
  Record<LossName, { readonly keras: readonly string[]; readonly parameters: readonly LossParameter[] }>
>;

type LossParameter = Exclude<keyof LossSettings, 'name'>;

/** The name of a loss; the kind of targets decides between Keras' categorical and sparse categorical cross-entropy. */
export type LossName =
  | 'categorical_crossentropy'
  | 'binary_crossentropy'
  | 'mse'
  | 'mae'
  | 'huber'
  | 'poisson'
  | 'log_cosh'
  | 'msle';

/** All names. */
export const LOSS_NAMES = Object.keys(LOSSES) as readonly LossName[];

/** A loss and its parameters; what is not given is off, or Keras' default. */
export interface LossSettings {
  readonly name: LossName;
  /** Whether the model's outputs are logits, and no probabilities. */
  readonly fromLogits?: boolean;
  /** Share of the probability that is spread evenly over all classes, 0 to 1 (Szegedy et al. 2016, arXiv 1512.00567). */
  readonly labelSmoothing?: number;
  /** Where Huber's loss turns from a square into a line; 1 by default. */
  readonly delta?: number;
}

/** The loss of one of several outputs. */
export interface OutputLoss extends LossSettings {
  /** What it is multiplied by in the sum of all; 1 by default. */
  readonly weight?: number;
}

/** One loss for all outputs of a model, or one for each. */
export type Losses = LossSettings | readonly OutputLoss[];

/** What is asked for: one loss, or those of some of the outputs of a model, by name. */
export type AskedLoss = LossSettings | { readonly outputs: Readonly<Record<string, OutputLoss>> };

/** The name of the loss that has this name here or in Keras, whatever the case and the underscores. */
export function lossNamed(name: string): LossName | undefined {
  const plain = (text: string) => text.replaceAll('_', '').toLowerCase();
  return LOSS_NAMES.find((each) =>
    [each, ...LOSSES[each].keras].some((known) => plain(known) === plain(name)),
  );
}

/** Each parameter by its name in a text, and in Keras: what its values are. */
const PARAMETERS: Readonly<
  Record<LossParameter, { readonly key: string; readonly isIn: (value: number) => boolean }>
> = {
  fromLogits: { key: 'from_logits', isIn: (value) => value === 0 || value === 1 },
  labelSmoothing: { key: 'label_smoothing', isIn: (value) => value >= 0 && value < 1 },
  delta: { key: 'delta', isIn: (value) => value > 0 && Number.isFinite(value) },
};

/** A loss with parameters under their names in Keras; undefined where it is none of ours, or has others than these. */
export function lossWith(name: string, given: Readonly<Record<string, number>>): LossSettings | undefined {
  const known = lossNamed(name);
  if (known === undefined) return undefined;
  let settings: LossSettings = { name: known };
  for (const [key, value] of Object.entries(given)) {
    const parameter = LOSSES[known].parameters.find((each) => PARAMETERS[each].key === key);
    if (parameter === undefined || !PARAMETERS[parameter].isIn(value)) return undefined;
    if (value === 0) continue;
    settings = { ...settings, [parameter]: parameter === 'fromLogits' ? true : value };
  }
  return settings;
}

/** Reads `mse`, `huber:delta=0.5`, `binary_crossentropy:from_logits,label_smoothing=0.1`; undefined for anything else. */
export function parseLoss(text: string): LossSettings | undefined {
  const { name, given } = readParts(text);
  return lossWith(name, given);
}

/** The loss of one of several outputs, which may have a weight: `mse:weight=0.5`; undefined for anything else. */
export function parseOutputLoss(text: string): OutputLoss | undefined {
  const { name, given } = readParts(text);
  const { weight = 1, ...parameters } = given;
  const loss = weight >= 0 && Number.isFinite(weight) ? lossWith(name, parameters) : undefined;
  return loss === undefined || weight === 1 ? loss : { ...loss, weight };
}

/** Reads one loss, or those of outputs: `price=huber:delta=2,kind=categorical_crossentropy`; undefined for anything else. */
export function parseAskedLoss(text: string): AskedLoss | undefined {
  const one = parseLoss(text);
  if (one !== undefined) return one;
  const losses: [output: string, text: string][] = [];
  for (const part of text.split(',')) {
    const [, output = '', loss = ''] = /^([^=:]+)=(.*)$/.exec(part.trim()) ?? [];
    const last = losses.at(-1);
    // What is no loss of an output is a parameter of the loss before.
    if (lossNamed(loss.split(':', 1)[0] as string) !== undefined) losses.push([output.trim(), loss]);
    else if (last !== undefined) last[1] += `,${part}`;
    else return undefined;
  }
  const outputs = losses.flatMap(([output, each]) => {
    const loss = parseOutputLoss(each);
    return loss === undefined ? [] : [[output, loss] as const];
  });
  // One that is none, or an output that is named twice.
  if (new Set(outputs.map(([output]) => output)).size < losses.length) return undefined;
  return { outputs: Object.fromEntries(outputs) };
}

function readParts(text: string) {
  const [name = '', parameters] = text.split(':', 2);
  const given = (parameters?.split(',') ?? []).map((each) => {
    const [key = '', value = '1'] = each.split('=', 2).map((part) => part.trim());
    return [key, value === '' ? Number.NaN : Number(value)] as const;
  });
  return { name: name.trim(), given: Object.fromEntries(given) as Readonly<Record<string, number>> };
}

/** Writes a loss as {@link parseLoss} reads it. */
export function writeLoss(settings: LossSettings): string {
  const given = LOSSES[settings.name].parameters.flatMap((parameter) => {
    const value = settings[parameter];
    const { key } = PARAMETERS[parameter];
    return value === undefined || value === false ? [] : [value === true ? key : `${key}=${value}`];
  });
  return given.length === 0 ? settings.name : `${settings.name}:${given.join(',')}`;
}

/** Writes what is asked for as {@link parseAskedLoss} reads it. */
export function writeAskedLoss(asked: AskedLoss): string {
  if ('name' in asked) return writeLoss(asked);
  const texts = Object.entries(asked.outputs).map(([output, { weight = 1, ...loss }]) => {
    const text = `${output}=${writeLoss(loss)}`;
    return weight === 1 ? text : `${text}${text.includes(':') ? ',' : ':'}weight=${weight}`;
  });
  return texts.join(',');
}

/**
 * A loss as `training_config` of a Keras file has it: a class, whose name all versions know. Of labels Keras has a loss of
 * its own, which knows no smoothing.
 */
export function writtenLoss(settings: LossSettings): unknown {
  const { name, labelSmoothing } = settings;
  const isSparse = name === 'categorical_crossentropy' && labelSmoothing === undefined;
  const className = isSparse ? 'SparseCategoricalCrossentropy' : LOSSES[name].keras.at(-1);
  const config = Object.fromEntries(
    LOSSES[name].parameters.flatMap((parameter) =>
      settings[parameter] === undefined ? [] : [[PARAMETERS[parameter].key, settings[parameter]]],
    ),
  );
  if (Object.keys(config).length === 0) return className;
  return { module: 'keras.losses', class_name: className, config, registered_name: null };
}

/** What targets have to be for a loss, or for those of some outputs; undefined where their numbers may tell. */
export function targetsFor(asked: AskedLoss | undefined): TargetKinds | undefined {
  if (asked === undefined) return undefined;
  if ('name' in asked) return kindFor(asked);
  const kinds = Object.entries(asked.outputs).flatMap(([output, loss]) => {
    const kind = kindFor(loss);
    return kind === undefined ? [] : [[output, kind] as const];
  });
  return kinds.length === 0 ? undefined : Object.fromEntries(kinds);
}

function kindFor({ name }: LossSettings): TargetKind | undefined {
  if (name === 'binary_crossentropy') return undefined;
  return name === 'categorical_crossentropy' ? 'labels' : 'numbers';
}
