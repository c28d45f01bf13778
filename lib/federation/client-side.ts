/** The client's side of a strategy: what its updates carry beside weights, and how training makes it. */
import { isStatistic, type Weights } from '../core/weights.js';

/** What an update carries beside its weights, by name: numbers, and tensors like the model's trainable arrays. */
export type Extras = Readonly<Record<string, number | Weights>>;

/** What an extra has to be. */
export type ExtraKind =
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  | { readonly kind: 'tensor' };

/** Extras by name. */
export type ExtraKinds = Readonly<Record<string, ExtraKind>>;

/** How a client trains, as far as a strategy depends on it; an optimizer may have more settings. */
export interface LocalTraining {
  readonly optimizer: {
    readonly kind: string;
    readonly learningRate: number;
    readonly momentum?: number;
  };
  /** μ of FedProx' term; 0 without one. */
  readonly proximal: number;
}

/** What makes steps others than those of SGD with momentum: the name of a setting, or undefined where nothing does. */
export function beyondSgd({ optimizer }: LocalTraining): string | undefined {
  if (optimizer.kind !== 'sgd') return 'optimizer';
  const { kind: _, learningRate: _rate, momentum: _momentum, ...others } = optimizer;
  const [first] = Object.entries(others).find(([, value]) => Boolean(value)) ?? [];
  return first;
}

/** Tensors like the model's trainable arrays, by name. */
export type Tensors = Readonly<Record<string, Weights>>;

/** What server and client remember when a client's training starts. */
export interface ClientMemory {
  /** The global model's trainable arrays. */
  readonly global: Weights;
  /** The server's slots that belong to the global model; absent in a first round. */
  readonly server?: Tensors | undefined;
  /** What the client kept of its last update that counted; absent where there is none. */
  readonly kept?: Tensors | undefined;
}

/** A client's training that has ended. */
export interface FinishedTraining extends LocalTraining {
  /** Optimizer steps. */
  readonly steps: number;
  /** Mean training loss over the last epoch. */
  readonly loss: number;
  readonly memory: ClientMemory;
  /** The trainable arrays that it came to. */
  readonly weights: Weights;
}

/** What a strategy asks of clients beside training. */
export interface ClientSide {
  /** What each update has to carry. */
  readonly extras: ExtraKinds;
  /** The server's slots that it reads. */
  readonly serverSlots?: readonly string[];
  /** Tensors beside these extras that the client needs again in the next round that it takes part in. */
  readonly keeps?: readonly string[];
  /** What is added to the gradient of every step, before the optimizer's update. */
  readonly correction?: (memory: ClientMemory) => Weights;
  /** The setting of the training that the strategy does not go with, and why; undefined where it goes. */
  readonly problem: (training: LocalTraining) => readonly [setting: string, why: string] | undefined;
  /** Makes the extras, and what the client keeps. */
  readonly report: (training: FinishedTraining) => Extras;
}

/** The tensors that clients keep, as extras are declared. */
export function keptKinds({ keeps = [] }: ClientSide): ExtraKinds {
  return Object.fromEntries(keeps.map((name) => [name, { kind: 'tensor' }]));
}

/** What a strategy adds to the gradients of a model like `like`: 0 for what no gradient moves. */
export function gradientCorrection(
  side: ClientSide | undefined,
  { like, memory }: { readonly like: Weights; readonly memory: ClientMemory },
): Weights | undefined {
  if (side?.correction === undefined) return undefined;
  const values = new Map(side.correction(memory).map((array) => [array.name, array.values]));
  return like.map(({ name, shape, values: { length } }) => {
    return { name, shape, values: values.get(name) ?? new Float32Array(length) };
  });
}

/** The arrays that a gradient moves: what the tensors of extras and of the server's state are like. */
export function trainableOf<T extends { readonly name: string }>(arrays: readonly T[]): readonly T[] {
  return arrays.filter(({ name }) => !isStatistic(name));
}
