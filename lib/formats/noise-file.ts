/**
 * The secret of a private run: the key of its noise, and which sums got noise so far. It is written before the first noise
 * is drawn and again before each new model, readable by its owner only: a model that anybody may have seen is counted.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { DataError } from '../core/errors.js';
import { type Draw, drawName, keyedBits, type NoiseSource } from '../federation/privacy/keyed-noise.js';
import { hashField } from './fields.js';
import { writeFileAtomic } from './files/atomic-file.js';
import { createFileAtomic } from './files/create-file.js';
import { exists, readTextFile } from './files/read-file.js';

const NOISE_FILE = 'the key of the noise of private rounds (JSON)';
/** Readable and writable by the owner. */
const MODE = 0o600;

/** The noise file. */
export const noiseRecordSchema = z
  .strictObject({
    schemaVersion: z.literal(1),
    key: hashField.describe('The secret key, in hexadecimal.'),
    draws: z
      .array(z.strictObject({ round: z.int().min(1), name: z.string() }))
      .describe('Each sum that got noise, once; of one whose key is lost nothing is known but its round.'),
  })
  .meta({
    title: 'Noise key',
    description: 'noise-key.json: the secret of a private run, readable by its owner only.',
  });
type NoiseRecord = z.infer<typeof noiseRecordSchema>;

/** An open noise file. */
export interface NoiseFile {
  readonly source: NoiseSource;
  /**
   * Counts what was drawn last, unless it was counted before; to be called before the model is written. Where the model
   * lies there and the key that it was made with does not, that draw is counted too.
   *
   * @throws {StorageError} when the volume refuses: then nothing may be written
   */
  count(model: string): Promise<void>;
  /** How often noise was drawn in each round up to `round` that was drawn more than once. */
  redrawn(round: number): readonly number[];
}

/** Opens the file, or makes it with a new key. @throws {DataError} when there is something else */
export async function openNoiseFile(path: string): Promise<NoiseFile> {
  const fresh = { schemaVersion: 1 as const, key: randomBytes(32).toString('hex'), draws: [] };
  const isNew = !(await exists(path)) && (await createFileAtomic(path, encode(fresh), MODE));
  let record = isNew ? fresh : await read(path);
  const key = Buffer.from(record.key, 'hex');
  let last: Draw | undefined;
  return {
    source(draw) {
      last = draw;
      return keyedBits(key, draw);
    },
    async count(model) {
      if (last === undefined) return;
      const { round } = last;
      const name = drawName(key, last);
      const { draws, ...rest } = await read(path);
      if (rest.key !== record.key)
        throw new DataError({ file: path, expected: 'the key that was there', found: 'another one' });
      const lost = isNew && draws.length === 0 && (await exists(model)) ? [{ round, name: 'lost' }] : [];
      const isCounted = draws.some((each) => each.name === name);
      record = { ...rest, draws: isCounted ? draws : [...draws, ...lost, { round, name }] };
      if (!isCounted) await writeFileAtomic(path, encode(record), { mode: MODE });
    },
    redrawn(round) {
      const counts = new Map<number, number>();
      for (const each of record.draws) counts.set(each.round, (counts.get(each.round) ?? 0) + 1);
      return [...counts].filter(([at, times]) => at <= round && times > 1).map(([, times]) => times);
    },
  };
}

const encode = (record: NoiseRecord): string => `${JSON.stringify(record, null, 2)}\n`;

async function read(path: string): Promise<NoiseRecord> {
  const text = await readTextFile(path, NOISE_FILE);
  try {
    return noiseRecordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new DataError({ file: path, expected: NOISE_FILE, found: 'something else' }, { cause });
  }
}
