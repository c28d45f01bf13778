/** What a strategy is: how the updates of a round and the server's state become the next state. */
import type { Weights } from '../../core/weights.js';
import type { ClientSide, Extras } from '../client-side.js';
import type { Term, WeightedSums } from '../weighted-mean.js';

/**
 * A client's weights and how much they count: its number of examples. Its values stay what they are until the next update
 * is asked for: a strategy that keeps them copies them.
 */
export interface WeightedUpdate {
  /** Whose it is; a plain model tells nobody. */
  readonly client?: number | undefined;
  readonly weights: Weights;
  readonly examples: number;
  /** What the strategy needs beside; of the kinds that it declares. */
  readonly extras?: Extras | undefined;
}

/** The valid updates of a round, in the order of their clients: where a strategy keeps some of them, it decides which. */
export type Updates = AsyncIterable<WeightedUpdate> | Iterable<WeightedUpdate>;

/** The updates of a round as the sums of groups of them, in any order. */
export type Groups = AsyncIterable<WeightedSums> | Iterable<WeightedSums>;

/** What the server holds between two rounds. */
export interface ServerState {
  /** The round that starts from `weights`, from 1. */
  readonly round: number;
  /** The global model; may be empty where the strategy does not start from it ({@link Strategy.needsGlobal}). */
  readonly weights: Weights;
  /** What a server optimizer remembers (momentum, second moments), by name, for each trainable array. */
  readonly slots?: Slots;
  /** The round of each client's last update that counted, where clients keep something for the next one. */
  readonly lastRounds?: LastRounds | undefined;
  /** The norm that this round clips updates to, where it follows them from round to round. */
  readonly clip?: number | undefined;
}

/** Rounds by the numbers of clients. */
export type LastRounds = Readonly<Record<number, number>>;

/** Arrays of the server's optimizer by name, e.g. `m` and `v`, each like the model's trainable arrays. */
export type Slots = Readonly<Record<string, Weights>>;

/** How updates become the next global model. Pure but for noise from the system: the same state and updates give the same bits. */
export interface Strategy {
  readonly name: string;
  /** Whether the global model that the round started from enters into the result. */
  readonly needsGlobal: boolean;
  /** Names of the slots that the state carries from the first round on; without any the state is the model alone. */
  readonly slots: readonly string[];
  /** Whether the state carries the norm that updates are clipped to. */
  readonly keepsClip?: boolean;
  /**
   * Whether each number of the result follows from the numbers at its place in the updates and the global model: a model
   * can then be aggregated in pieces, as if each were a model of its own.
   */
  readonly isElementwise?: boolean;
  /** What clients do beside training. */
  readonly client?: ClientSide;
  /** What of an update is added up, for groups of updates; its weights where it is absent. */
  readonly terms?: (update: WeightedUpdate) => readonly Term[];
  /**
   * The state after the round. The updates agree in names and shapes, with each other and with the global model;
   * without any the state stays as it is.
   *
   * @throws {ThresholdError} when there are updates, but fewer than the rule makes sense for, e.g. 2f + 3 for Krum
   */
  aggregate(state: ServerState, updates: Updates): Promise<ServerState>;
  /** The same state from the sums of the updates, bit for bit; absent where the strategy looks at each update. */
  aggregateGroups?(state: ServerState, groups: Groups): Promise<ServerState>;
}
