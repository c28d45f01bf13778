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

/** How a client trains, as far as a strategy depends on it. */
export interface LocalTraining {
  readonly optimizer: {
    readonly kind: string;
    readonly learningRate: number;
    readonly momentum?: number;
  };
  /** μ of FedProx' term; 0 without one. */
  readonly proximal: number;
}

/** A client's training that has ended. */
export interface FinishedTraining extends LocalTraining {
  /** Optimizer steps. */
  readonly steps: number;
}

/** What a strategy asks of clients beside training. */
export interface ClientSide {
  /** What each update has to carry. */
  readonly extras: ExtraKinds;
  /** The setting of the training that the strategy does not go with, and why; undefined where it goes. */
  readonly problem: (
    training: LocalTraining,
  ) => readonly [setting: 'optimizer' | 'momentum' | 'proximal', why: string] | undefined;
  /** Makes the extras. */
  readonly report: (training: FinishedTraining) => Extras;
}

/** The arrays that a gradient moves: what the tensors of extras and of the server's state are like. */
export function trainableOf<T extends { readonly name: string }>(arrays: readonly T[]): readonly T[] {
  return arrays.filter(({ name }) => !isStatistic(name));
}
