/** Strategies in two halves: an average of the updates, and the server's step from the global model towards it. */
import { isStatistic, type WeightArray } from '../../core/weights.js';
import { createWeightedMean, type Mean, type WeightedMean, type WeightedSums } from '../weighted-mean.js';
import type { Groups, ServerState, Slots, Strategy, Updates } from './strategy.js';

/** Averages the updates of a round, one in memory at a time. */
export interface Averaging {
  /** Whether it measures updates by the global model. */
  readonly needsGlobal: boolean;
  /** Whether the state carries what it clips to. */
  readonly keepsClip?: boolean;
  /** The mean, or null where there are no updates. */
  mean(state: ServerState, updates: Updates, terms?: Terms): Promise<Averaged | null>;
  /** The same mean from groups' sums; absent where updates do not simply add up. */
  meanOfGroups?(groups: Groups): Promise<Averaged | null>;
}

/** A mean, and the examples behind it. */
export interface Averaged {
  readonly mean: Mean;
  readonly examples: number;
  /** The norm that the next round clips updates to, where it follows them. */
  readonly clip?: number;
}

/** Numbers of examples. */
export interface ExampleCounts {
  /** Behind the updates of the round. */
  readonly examples: number;
  /** Of all clients, whether they take part or not; known to steps that need it. */
  readonly allExamples?: number | undefined;
}

/** What of an update is added up, in an order that is the same for all updates. */
type Terms = NonNullable<Strategy['terms']>;

/** A server optimizer: from the state before the round and the mean of the updates to the state after it. */
export interface ServerStep {
  readonly needsGlobal: boolean;
  readonly slots: readonly string[];
  /** What of an update is averaged, where that is not its weights alone: `mean` has these arrays then. */
  readonly terms?: Terms;
  /** Whether the examples of all clients enter into it. */
  readonly needsAllExamples?: boolean;
  step(state: ServerState, mean: Mean, counts: ExampleCounts): ServerState;
}

/** The mean weighted by numbers of examples, Σ n_k/n · w^k. */
export const weightedMean: Averaging = {
  needsGlobal: false,
  mean: async (_state, updates, terms) => averaged(await addUp(updates, terms)),
  meanOfGroups: async (groups) => averaged(await addUpGroups(groups)),
};

const averaged = (sums: WeightedMean | undefined): Averaged | null =>
  sums === undefined ? null : { mean: sums.value(), examples: sums.totalWeight() };

/** The sums of a group of updates; null where there are none. */
export async function sumUpdates(updates: Updates, terms?: Terms): Promise<WeightedSums | null> {
  return (await addUp(updates, terms))?.sums() ?? null;
}

/** The sums of a group of groups; null where there are none. */
export async function sumGroups(groups: Groups): Promise<WeightedSums | null> {
  return (await addUpGroups(groups))?.sums() ?? null;
}

async function addUp(updates: Updates, terms?: Terms): Promise<WeightedMean | undefined> {
  let mean: WeightedMean | undefined;
  for await (const update of updates) {
    const added = terms === undefined ? update.weights : terms(update);
    mean ??= createWeightedMean(added);
    mean.add(added, update.examples);
  }
  return mean;
}

async function addUpGroups(groups: Groups): Promise<WeightedMean | undefined> {
  let mean: WeightedMean | undefined;
  for await (const sums of groups) {
    mean ??= createWeightedMean(sums.arrays);
    mean.addSums(sums);
  }
  return mean;
}

/** What a step is taken with. */
export interface StepOptions {
  readonly average?: Averaging;
  readonly allExamples?: number | undefined;
}

/** The strategy that averages by `average` and then takes `server`'s step. */
export function stepStrategy(
  name: string,
  server: ServerStep,
  { average = weightedMean, allExamples }: StepOptions = {},
): Strategy {
  const stepTo = (state: ServerState, found: Averaged | null) => {
    if (found === null) return state;
    const { mean, examples, clip } = found;
    const next = { ...server.step(state, mean, { examples, allExamples }), round: state.round + 1 };
    return clip === undefined ? next : { ...next, clip };
  };
  const { meanOfGroups } = average;
  const { terms } = server;
  return {
    name,
    needsGlobal: server.needsGlobal || average.needsGlobal,
    slots: server.slots,
    ...(average.keepsClip ? { keepsClip: true } : {}),
    // A step looks at one element after the other; slots lie in a file of their own, which is written whole.
    ...(average === weightedMean && server.slots.length === 0 ? { isElementwise: true } : {}),
    ...(terms === undefined ? {} : { terms }),
    aggregate: async (state, updates) => stepTo(state, await average.mean(state, updates, terms)),
    ...(meanOfGroups === undefined
      ? {}
      : { aggregateGroups: async (state, groups) => stepTo(state, await meanOfGroups(groups)) }),
  };
}

/** A round's result, and the clients whose updates are in it. */
export interface CountedUpdates {
  readonly next: ServerState;
  /** The round that they belong to. */
  readonly round: number;
  readonly counted: readonly number[];
}

/** Remembers in the state where the clients whose updates count have left what they keep, if they keep anything. */
export function rememberCounted(
  { client }: Pick<Strategy, 'client'>,
  { next, round, counted }: CountedUpdates,
): ServerState {
  if (client?.keeps === undefined) return next;
  const lastRounds = Object.fromEntries(counted.map((each) => [each, round]));
  return { ...next, lastRounds: { ...next.lastRounds, ...lastRounds } };
}

/** One trainable array before a step: everything of one length, element for element. */
interface StepArrays {
  /** The global model's weights. */
  readonly weights: Float32Array;
  /** Pseudo-gradient Δ: the mean of the updates less the global model. */
  readonly delta: Float64Array;
  /** The slots in the order of their names, copies to be written to. */
  readonly slots: readonly Float32Array[];
  /** Where the new weights go. */
  readonly next: Float32Array;
}

/**
 * Takes `step` on each trainable array. The moving statistics of BatchNormalization are no parameters that a
 * gradient moves (a variance that an optimizer pushes below zero is no variance): the mean replaces them.
 *
 * @param initial what each slot holds before the first round
 */
export function stepTrainable(
  { state, mean, initial }: StepContext,
  step: (arrays: StepArrays) => void,
): ServerState {
  const slots: Record<string, WeightArray[]> = Object.fromEntries(
    Object.keys(initial).map((name) => [name, []]),
  );
  const weights = mean.map(({ name, shape, values }, index): WeightArray => {
    if (isStatistic(name)) return { name, shape, values: new Float32Array(values) };
    const global = state.weights[index] as WeightArray;
    const next = new Float32Array(values.length);
    const own = Object.entries(initial).map(([slot, value]) => {
      const before = slots[slot] as WeightArray[];
      const earlier = state.slots?.[slot]?.[before.length]?.values;
      const copy = earlier?.slice() ?? new Float32Array(values.length).fill(value);
      before.push({ name, shape, values: copy });
      return copy;
    });
    const delta = values.map((value, at) => value - (global.values[at] as number));
    step({ weights: global.values, delta, slots: own, next });
    return { name, shape, values: next };
  });
  return { ...state, weights, slots: slots satisfies Slots };
}

/** A step's state and mean, and what its slots begin with, in their order. */
interface StepContext {
  readonly state: ServerState;
  readonly mean: Mean;
  readonly initial: Readonly<Record<string, number>>;
}
