/** The state of a server optimizer in a file (HDF5): its slots, and which global model they belong to. */
import { z } from 'zod';
import { DataError } from '../core/errors.js';
import type { WeightArray, Weights } from '../core/weights.js';
import type { LastRounds, Slots } from '../federation/strategies/strategy.js';
import { parseDocument } from './files/json-document.js';
import { readFileBytes } from './files/read-file.js';
import { type Hdf5Reader, readHdf5 } from './hdf5/hdf5-reader.js';
import { writeHdf5 } from './hdf5/hdf5-writer.js';
import { ownArrays, writeTensor } from './keras/client-update-file.js';

/** What error messages call such a file. */
const SERVER_STATE = 'the state of a server optimizer (HDF5)';

/** The slots of a strategy, and the facts without which they would be numbers of no model. */
export interface ServerStateFile {
  /** Name of the strategy that keeps them. */
  readonly strategy: string;
  /** The round that goes on from them, from 1. */
  readonly round: number;
  /** sha256 of the file of the global model that the round starts from. */
  readonly model: string;
  readonly slots: Slots;
  /** The round of each client's last update that counted, where clients keep something for the next one. */
  readonly lastRounds?: LastRounds | undefined;
  /** The norm that the round clips updates to, where it follows them from round to round. */
  readonly clip?: number | undefined;
}

/** The bytes of a state file: `/<slot>/<index>` holds an array, its attribute `name` the array's name, and the slot's `sha256` their digest. */
export function encodeServerState(state: ServerStateFile): Promise<Uint8Array> {
  const { strategy, round, model, slots, lastRounds, clip } = state;
  return writeHdf5((hdf5) => {
    hdf5.text('/', 'fedbatch_strategy', strategy);
    hdf5.integer('/', 'fedbatch_round', round);
    hdf5.text('/', 'fedbatch_model', model);
    hdf5.texts('/', 'fedbatch_slots', Object.keys(slots));
    for (const [slot, arrays] of Object.entries(slots)) {
      writeTensor(hdf5, `/${slot}`, arrays);
    }
    if (clip !== undefined) hdf5.floats(CLIP, { shape: [1], values: Float64Array.of(clip) });
    if (lastRounds !== undefined)
      hdf5.bytes(LAST_ROUNDS, new TextEncoder().encode(JSON.stringify(lastRounds)));
  });
}

/** Reads a state file. @throws {DataError} when it is missing, damaged, or something else. */
export async function readServerState(path: string): Promise<ServerStateFile> {
  const bytes = await readFileBytes(path, SERVER_STATE);
  return readHdf5(bytes, path, (hdf5) => {
    if (!hdf5.attributeNames('/').includes('fedbatch_strategy')) {
      throw new DataError({ file: path, expected: SERVER_STATE, found: 'another HDF5 file' });
    }
    const names = hdf5.texts('/', 'fedbatch_slots') ?? [];
    const lastRounds = readLastRounds(hdf5, path);
    const clip = hdf5.kind(CLIP) === 'dataset' ? hdf5.doubles(CLIP, 1)[0] : undefined;
    return {
      strategy: hdf5.text('/', 'fedbatch_strategy'),
      round: hdf5.integer('/', 'fedbatch_round'),
      model: hdf5.text('/', 'fedbatch_model'),
      slots: Object.fromEntries(names.map((slot) => [slot, readSlot(hdf5, slot, path)])),
      ...(lastRounds === undefined ? {} : { lastRounds }),
      ...(clip === undefined ? {} : { clip }),
    };
  });
}

const CLIP = '/fedbatch_clip';
/** JSON: rounds by the numbers of clients. */
const LAST_ROUNDS = '/fedbatch_last_rounds';

const lastRoundsSchema = z.record(z.string().regex(/^\d+$/), z.int().min(1));

function readLastRounds(hdf5: Hdf5Reader, file: string): LastRounds | undefined {
  if (hdf5.kind(LAST_ROUNDS) !== 'dataset') return undefined;
  const text = new TextDecoder().decode(hdf5.bytes(LAST_ROUNDS));
  return parseDocument(text, {
    schema: lastRoundsSchema,
    file,
    expected: `rounds of clients at ${LAST_ROUNDS}`,
  });
}

function readSlot(hdf5: Hdf5Reader, slot: string, file: string): Weights {
  const arrays: WeightArray[] = [];
  for (let path = `/${slot}/0`; hdf5.kind(path) === 'dataset'; path = `/${slot}/${arrays.length}`) {
    arrays.push({ name: hdf5.text(path, 'name'), ...hdf5.floats(path, ['float32']) });
  }
  // A slot without arrays has no group.
  return arrays.length === 0 ? arrays : ownArrays(hdf5, `/${slot}`, { file, arrays });
}
