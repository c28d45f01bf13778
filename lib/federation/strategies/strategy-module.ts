/** A strategy as one declaration: its name, its parameters, the updates that it needs, and what it does with them. */
import type { ClientSide } from '../client-side.js';
import type { ServerStep } from './server-step.js';
import type { Strategy } from './strategy.js';

/** A number that a strategy is set up with. */
export interface StrategyParameter {
  /** What it is, in a few words. */
  readonly help: string;
  /** Stands for its value in help, e.g. `eta`. */
  readonly symbol: string;
  /** Its value where none is given; without it the strategy decides from round to round. */
  readonly default?: number;
  /** In words, what the strategy decides where there is no default. */
  readonly otherwise?: string;
  readonly isWhole?: boolean;
  readonly min?: number;
  /** Bounds that do not belong to the range. */
  readonly above?: number;
  readonly below?: number;
  /** Its name beside the settings of a whole run, where its own says too little there. */
  readonly fullName?: string;
}

/** Parameters by name. */
type Parameters = Readonly<Record<string, StrategyParameter>>;

/** Values of parameters: a number each; those without a default may be left out. */
export type ValuesOf<P extends Parameters> = {
  readonly [K in keyof P as P[K] extends { readonly default: number } ? K : never]: number;
} & {
  readonly [K in keyof P as P[K] extends { readonly default: number } ? never : K]?: number | undefined;
};

/** Fewest updates of a round that a strategy can work with. */
export interface FewestUpdates {
  readonly updates: number;
  /** How the number comes about, in the letters of the paper, e.g. `2f + 3`. */
  readonly formula?: string;
}

interface Declaration<N extends string, P extends Parameters> {
  /** As settings, flags and records know it. */
  readonly name: N;
  readonly parameters: P;
  /** One update where it is absent. */
  readonly fewestUpdates?: (values: ValuesOf<P>) => FewestUpdates;
  /** The parameter whose value makes no sense, and why; undefined where all do. */
  readonly problem?: (values: ValuesOf<P>) => readonly [parameter: keyof P & string, why: string] | undefined;
}

/**
 * A strategy that takes a step towards the mean of all updates. The mean takes one update at a time and adds up over
 * groups, and what one client can move it by has a bound, which privacy needs.
 */
export interface AveragingModule<N extends string = string, P extends Parameters = Parameters>
  extends Declaration<N, P> {
  readonly kind: 'averaging';
  /** What clients do for it beside training; nothing where it is absent. */
  readonly client?: ClientSide;
  readonly step: (values: ValuesOf<P>) => ServerStep;
}

/** A strategy that compares the updates of a round with one another, and holds them all in memory. */
export interface ComparingModule<N extends string = string, P extends Parameters = Parameters>
  extends Declaration<N, P> {
  readonly kind: 'comparing';
  readonly strategy: (values: ValuesOf<P>) => Strategy;
}

/** Declares a strategy that averages. */
export function averaging<const N extends string, const P extends Parameters>(
  declaration: Omit<AveragingModule<N, P>, 'kind'>,
): AveragingModule<N, P> {
  return { ...declaration, kind: 'averaging' };
}

/** Declares a strategy that compares updates. */
export function comparing<const N extends string, const P extends Parameters>(
  declaration: Omit<ComparingModule<N, P>, 'kind'>,
): ComparingModule<N, P> {
  return { ...declaration, kind: 'comparing' };
}
