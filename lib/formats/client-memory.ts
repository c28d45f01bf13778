/** What clients of some strategies remember between rounds: read from the volume before a training, kept after it. */
import { DataError } from '../core/errors.js';
import type { Weights } from '../core/weights.js';
import {
  type ClientMemory,
  type ClientSide,
  type Extras,
  keptKinds,
  type Tensors,
  trainableOf,
} from '../federation/client-side.js';
import { type UpdateFacts, validateExtras } from '../federation/client-update.js';
import { writeFileAtomic } from './files/atomic-file.js';
import { readFileBytes } from './files/read-file.js';
import { readHdf5 } from './hdf5/hdf5-reader.js';
import { writeHdf5 } from './hdf5/hdf5-writer.js';
import {
  readExtras,
  readUpdateAttributes,
  writeExtras,
  writeUpdateAttributes,
} from './keras/client-update-file.js';
import { startState } from './server-state.js';
import { volumePaths } from './volume.js';

/** Which client remembers, in which round, and where. */
export interface MemoryPlace {
  readonly strategy: string;
  readonly side: ClientSide;
  readonly client: number;
  readonly round: number;
  /** The global model that the round starts from. */
  readonly global: { readonly file: string; readonly weights: Weights; readonly sha256: string };
  /** The run's volume; without it nobody remembers anything. */
  readonly volume: string | undefined;
}

/**
 * What server and client remember when the round starts. Both are files that no later round changes, the server's
 * state and the client's last update that counted: a training that is done again starts from the same.
 *
 * @throws {DataError} when one is missing, damaged or of another round or model
 */
export async function readClientMemory({
  strategy,
  side,
  client,
  round,
  global,
  volume,
}: MemoryPlace): Promise<ClientMemory> {
  const trainable = trainableOf(global.weights);
  if (volume === undefined || side.keeps === undefined || round === 1) return { global: trainable };
  const paths = volumePaths(volume);
  const state = paths.round(round).serverState;
  const { slots: server, lastRounds } = await startState(
    { name: strategy, slots: side.serverSlots ?? [] },
    { round, parent: global },
    state,
  );
  const last = lastRounds?.[client];
  if (last === undefined) return { global: trainable, server };
  const expected = { client, round: last, kinds: keptKinds(side), like: global.weights };
  return { global: trainable, server, kept: await readKept(paths.round(last).update(client), expected) };
}

interface KeptOptions extends Pick<UpdateFacts, 'client' | 'round'> {
  readonly kinds: ReturnType<typeof keptKinds>;
  readonly like: Weights;
}

async function readKept(file: string, { client, round, kinds, like }: KeptOptions): Promise<Tensors> {
  const expected = `the update of client ${client} in round ${round}, from which it continues`;
  const bytes = await readFileBytes(file, expected);
  return readHdf5(bytes, file, (hdf5) => {
    const facts = readUpdateAttributes(hdf5, file);
    if (facts?.client !== client || facts.round !== round) {
      const found =
        facts === undefined ? 'no update' : `that of client ${facts.client} in round ${facts.round}`;
      throw new DataError({ file, expected, found });
    }
    const kept = readExtras(hdf5, file, { kinds, like });
    const reason = validateExtras(kept, { kinds, like });
    if (reason === null) return kept as Tensors;
    throw new DataError({ file, expected, found: `that it ${reason}` });
  });
}

/** Writes what a client keeps of a round without its update, for runs whose updates are no files. */
export async function writeKept(
  file: string,
  {
    facts,
    extras,
    side,
  }: { readonly facts: UpdateFacts; readonly extras: Extras; readonly side: ClientSide },
): Promise<void> {
  const kept = Object.fromEntries((side.keeps ?? []).map((name) => [name, extras[name] as Weights]));
  const bytes = await writeHdf5((hdf5) => {
    writeUpdateAttributes(hdf5, facts);
    writeExtras(hdf5, kept);
  });
  await writeFileAtomic(file, bytes);
}
