/** Which of the training examples each client of a simulation has, and which it holds out: lists, one for each client. */

/** One list for each client. */
interface ClientLists {
  /** Indices of all clients' examples, one client after the other. */
  readonly indices: Int32Array;
  /** Client k's begin at element k and end before element k + 1. */
  readonly offsets: Int32Array;
}

/** Which of the training examples the clients have, client by client. */
export interface VirtualShards extends ClientLists {
  /** Those that they hold out, where they do; of some clients none. */
  readonly heldOut?: ClientLists;
}

/** The indices of one client's examples; a view. */
export function shardIndices({ indices, offsets }: ClientLists, client: number): Int32Array {
  return indices.subarray(offsets[client], offsets[client + 1]);
}

/** The indices of the examples that a client holds out; none where it holds nothing out. */
export function heldOutIndices({ heldOut }: VirtualShards, client: number): Int32Array {
  return heldOut === undefined ? new Int32Array(0) : shardIndices(heldOut, client);
}

/** Number of clients. */
export function virtualClients({ offsets }: ClientLists): number {
  return offsets.length - 1;
}
