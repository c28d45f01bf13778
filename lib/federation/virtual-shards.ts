/** Shards of a simulation: which of the training examples, all in one place, each client has. */

/** Which of the training examples the clients have, client by client. */
export interface VirtualShards {
  /** Indices of all clients' examples, one client after the other. */
  readonly indices: Int32Array;
  /** Client k's begin at element k and end before element k + 1. */
  readonly offsets: Int32Array;
}

/** The indices of one client's examples; a view. */
export function shardIndices({ indices, offsets }: VirtualShards, client: number): Int32Array {
  return indices.subarray(offsets[client], offsets[client + 1]);
}

/** Number of clients. */
export function virtualClients({ offsets }: VirtualShards): number {
  return offsets.length - 1;
}
