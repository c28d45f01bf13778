/** What an optimizer is: one module tells Keras files, settings, both engines and docs all that they need to know of it. */
import { flagOff, type LayerSetting, numberWithin } from '../layers/settings.js';
import type { StepSchedule } from './schedules.js';

/** What all optimizers have. */
export interface CommonSettings {
  readonly learningRate: number;
  /** How the learning rate goes on from step to step of one training; without it it stays. */
  readonly schedule?: StepSchedule;
  /** Before each step the weights shrink by this share times the learning rate (Loshchilov and Hutter 2019, decoupled). */
  readonly weightDecay?: number;
  /** Each number of a gradient is kept from −this to this. At most one of the three is given. */
  readonly clipGradientValue?: number;
  /** The gradient of each array is shortened to this length where it is longer. */
  readonly clipGradientNorm?: number;
  /** The gradient of the whole model is shortened to this length where it is longer. */
  readonly clipGradientGlobalNorm?: number;
}

/** What the kinds of Adam are told. */
export interface MomentSettings extends CommonSettings {
  /** Shares of the first and of the second moment that stay in each step. */
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Arithmetic, element by element, on whatever an engine calls a tensor. */
export interface Arithmetic<T> {
  constant(value: number): T;
  add(a: T, b: T): T;
  subtract(a: T, b: T): T;
  multiply(a: T, b: T): T;
  divide(a: T, b: T): T;
  larger(a: T, b: T): T;
  squareRoot(a: T): T;
  absolute(a: T): T;
  /** −1, 0 or 1. */
  sign(a: T): T;
}

/** One step on one tensor of weights. */
export interface OptimizerStep<T> {
  readonly weights: T;
  /** The gradient as a tensor. */
  gradient(): T;
  /** share · target − `stepSize` · gradient, where an engine can without the gradient in memory. */
  descend(target: T, share: number): T;
  /** In the order of the module's slots. */
  readonly slots: readonly T[];
  /** The module's rates of this step. */
  readonly rates: Readonly<Record<string, T>>;
}

/** What a step comes to. */
interface NextTensors<T> {
  readonly weights: T;
  readonly slots: readonly T[];
}

/** All that there is to say of an optimizer; `S` is what it is told. */
export interface OptimizerModule<S extends CommonSettings = CommonSettings> {
  /** As `--optimizer` and records have it. */
  readonly kind: string;
  /** The class of Keras. */
  readonly keras: string;
  /** What `S` has beside the common settings, by its names in Keras' JSON; what is undefined there is left out. */
  readonly settings: Readonly<Record<string, LayerSetting<unknown>>>;
  /** Tensors shaped as the weights that it keeps from step to step, and what fills them at first. */
  slots(settings: S): Readonly<Record<string, number>>;
  /** Numbers of step `step` (from 1), by name; `stepSize` is among them. */
  rates(
    settings: S,
    at: { readonly learningRate: number; readonly step: number },
  ): Readonly<Record<string, number>>;
  /** The step, in the order of operations in which Keras takes it. */
  update<T>(math: Arithmetic<T>, settings: S, step: OptimizerStep<T>): NextTensors<T>;
}

/** A · share + b · (1 − share): a mean that forgets, in the order of operations in which Keras takes it. */
export function fading<T>(
  math: Arithmetic<T>,
  kept: number,
  { of, by }: { readonly of: T; readonly by: T },
): T {
  return math.add(math.multiply(math.constant(kept), of), math.multiply(math.constant(1 - kept), by));
}

/** The mean moved towards `to` by a share of the way, as Adam's means are. */
export function towards<T>(
  math: Arithmetic<T>,
  mean: T,
  { to, by }: { readonly to: T; readonly by: number },
): T {
  return math.add(mean, math.multiply(math.subtract(to, mean), math.constant(by)));
}

/** A number from 0 to 1. */
export const share = (key: string, fallback: number): LayerSetting<number> =>
  numberWithin({
    keys: [key],
    expected: 'a share from 0 to 1',
    fallback,
    isIn: (value) => value >= 0 && value <= 1,
  });

/** What keeps a divisor from 0. */
export const epsilon: LayerSetting<number> = numberWithin({
  keys: ['epsilon'],
  expected: 'a number above 0',
  fallback: 1e-7,
  isIn: (value) => value > 0,
});

/** Of the kinds of Adam: shares of their moments that stay in each step. */
export const moments = { beta1: share('beta_1', 0.9), beta2: share('beta_2', 0.999), epsilon };

/** True, or left out. */
export const switchedOn = (key: string): LayerSetting<true | undefined> => {
  const { keys, expected, read } = flagOff(key);
  return { keys, expected, read: (settings) => read(settings) || undefined };
};
