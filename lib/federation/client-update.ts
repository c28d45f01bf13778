/** A client update: one client's weights after local training, and the facts that travel with them. */
import type { Weights } from '../core/weights.js';
import type { Extras } from './client-side.js';

/** Where an update comes from; stored in the same file as its weights so that they cannot come apart. */
export interface UpdateFacts {
  /** The client's number, from 0. */
  readonly client: number;
  /** The round that the update belongs to, from 1. */
  readonly round: number;
  /** Number of training examples behind the update: its weight in the average. */
  readonly examples: number;
  /** sha256 (hex) of the file of the global model that training started from. */
  readonly parent: string;
}

/** One client's weights after local training. */
export interface ClientUpdate extends UpdateFacts {
  readonly weights: Weights;
  /** What its strategy needs beside them. */
  readonly extras?: Extras | undefined;
}
