/** How an input is made of others: bytes and numbers changed, words of the format put in, pieces moved, two inputs joined. */
import type { RandomStream } from '../../lib/core/random.js';

/** What mutations draw from. */
export interface Ingredients {
  readonly random: RandomStream;
  /** Texts and bytes that mean something in the format. */
  readonly words: readonly Uint8Array[];
  /** Another input. */
  readonly other: Uint8Array;
}

/** A mutation that knows the format: the frame stays whole, what is in it does not. Undefined where it finds none. */
export type Reshape = (bytes: Buffer, ingredients: Ingredients) => Uint8Array | undefined;

/** Longer inputs are cut: what is wrong in a reader shows in short ones too, and these are read more often. */
const MOST_BYTES = 131_072;
/** So often an input is changed before it is tried, at most. */
const MOST_CHANGES = 6;
/** How often a mutation that knows the format is asked where there is one. */
const RESHAPED = 0.6;

/** Numbers at which readers err: around zero, signs, widths, and what a double cannot hold. */
const LIMITS = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  15n,
  16n,
  64n,
  127n,
  128n,
  255n,
  256n,
  1_000n,
  4_096n,
  32_767n,
  32_768n,
  65_535n,
  65_536n,
  1_000_000n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 2n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 40n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
] as const;
/** The same as people and programs write them. */
const WRITTEN = [
  ...['0', '-0', '-1', '1', '2', '0.5', '1e308', '1e999', '-1e999', '1e-320', 'NaN', 'Infinity', '-Infinity'],
  ...[
    '2147483647',
    '2147483648',
    '4294967295',
    '9007199254740992',
    '18446744073709551616',
    '1e21',
    '0x10',
    '',
  ],
];

/** One of some things. */
export const pick = <T>(random: RandomStream, all: readonly T[]): T =>
  all[random.integer(0, all.length - 1)] as T;

/** A number at a limit. */
export const limit = (random: RandomStream): bigint => pick(random, LIMITS);

/** Another input, near a given one. */
export function mutate(bytes: Uint8Array, ingredients: Ingredients, reshape?: Reshape): Buffer {
  const { random } = ingredients;
  let made: Buffer = Buffer.from(bytes);
  // Most of them differ in one place alone: a reader goes far with these.
  const changes = random.uniform() < 0.7 ? 1 : random.integer(2, MOST_CHANGES);
  for (let change = 0; change < changes; change++) {
    const shaped =
      reshape !== undefined && random.uniform() < RESHAPED ? reshape(made, ingredients) : undefined;
    made = shaped === undefined ? changed(made, ingredients) : Buffer.from(shaped);
  }
  return made.subarray(0, MOST_BYTES);
}

/** Bytes with one change that knows no format. */
export function changed(bytes: Buffer, ingredients: Ingredients): Buffer {
  const made = pick(ingredients.random, CHANGES)(Buffer.from(bytes), ingredients);
  return made.length > MOST_BYTES ? made.subarray(0, MOST_BYTES) : made;
}

/** As many bytes as before, some of them others: what holds numbers still does. */
export function changedInPlace(bytes: Buffer, { random }: Ingredients): Buffer {
  const made = Buffer.from(bytes);
  for (let left = random.integer(1, 3); left > 0 && made.length > 0; left--) {
    const at = place(random, made);
    made[at] =
      random.uniform() < 0.5 ? random.integer(0, 255) : (made[at] as number) ^ (1 << random.integer(0, 7));
  }
  return made;
}

type Change = (bytes: Buffer, ingredients: Ingredients) => Buffer;

const place = (random: RandomStream, bytes: Buffer, room = 1): number =>
  random.integer(0, Math.max(0, bytes.length - room));

/** A piece: mostly short, sometimes any. */
function piece(random: RandomStream, bytes: Buffer): readonly [start: number, end: number] {
  const start = place(random, bytes);
  const longest = Math.max(1, bytes.length - start);
  const length = random.integer(1, random.uniform() < 0.8 ? Math.min(16, longest) : longest);
  return [start, start + length];
}

const replaced = (bytes: Buffer, [start, end]: readonly [number, number], by: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, start), by, bytes.subarray(end)]);

const CHANGES: readonly Change[] = [
  function flipBit(bytes, { random }) {
    const at = place(random, bytes);
    if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.integer(0, 7));
    return bytes;
  },
  function setByte(bytes, { random }) {
    const at = place(random, bytes);
    if (at < bytes.length) bytes[at] = random.integer(0, 255);
    return bytes;
  },
  function addToByte(bytes, { random }) {
    const at = place(random, bytes);
    if (at < bytes.length) bytes[at] = ((bytes[at] as number) + random.integer(-8, 8)) & 255;
    return bytes;
  },
  function setNumber(bytes, { random }) {
    const size = pick(random, [1, 2, 4, 8] as const);
    if (bytes.length < size) return bytes;
    const at = place(random, bytes, size);
    const field = Buffer.alloc(8);
    field.writeBigUInt64LE(limit(random));
    const number = field.subarray(0, size);
    if (random.uniform() < 0.3) number.reverse();
    number.copy(bytes, at);
    return bytes;
  },
  function removePiece(bytes, { random }) {
    return replaced(bytes, piece(random, bytes), new Uint8Array(0));
  },
  function repeatPiece(bytes, { random }) {
    const [start, end] = piece(random, bytes);
    const own = bytes.subarray(start, end);
    const times = random.uniform() < 0.9 ? 1 : random.integer(2, 64);
    return replaced(bytes, [start, start], Buffer.concat(new Array<Buffer>(times).fill(own)));
  },
  function copyPiece(bytes, { random }) {
    const [start, end] = piece(random, bytes);
    bytes.copy(bytes, place(random, bytes), start, end);
    return bytes;
  },
  function insertBytes(bytes, { random }) {
    const at = place(random, bytes);
    const added = Uint8Array.from({ length: random.integer(1, 16) }, () => random.integer(0, 255));
    return replaced(bytes, [at, at], added);
  },
  function putWord(bytes, { random, words }) {
    const word = words.length === 0 ? Buffer.from(pick(random, WRITTEN)) : pick(random, words);
    const at = place(random, bytes);
    return replaced(bytes, [at, random.uniform() < 0.5 ? at : at + word.length], word);
  },
  function rewriteNumber(bytes, { random }) {
    const found = [...bytes.toString('latin1').matchAll(/-?\d+(\.\d+)?(e[+-]?\d+)?/gi)];
    if (found.length === 0) return bytes;
    const { index, 0: text } = pick(random, found);
    return replaced(bytes, [index, index + text.length], Buffer.from(pick(random, WRITTEN)));
  },
  function cut(bytes, { random }) {
    return bytes.subarray(0, place(random, bytes));
  },
  function join(bytes, { random, other }) {
    const theirs = Buffer.from(other);
    return Buffer.concat([bytes.subarray(0, place(random, bytes)), theirs.subarray(place(random, theirs))]);
  },
  function takePiece(bytes, { random, other }) {
    const [start, end] = piece(random, Buffer.from(other));
    const at = place(random, bytes);
    return replaced(bytes, [at, at], other.subarray(start, end));
  },
];
