/** Mutations that know a format: entries of zips, values of JSON, chunks of PNGs, fields of protobuf, what gzip holds. */
import { deflateSync, gunzipSync, gzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import type { RandomStream } from '../../lib/core/random.js';
import { entriesIn } from '../../lib/formats/data/streamed/zip-records.js';
import { buildZip, pngChunk, type ZipEntry } from '../hostile-files.js';
import { changed, changedInPlace, type Ingredients, limit, pick, type Reshape } from './mutate.js';

/** Some of the mutations, by what an entry is called. */
export type InnerReshape = (name: string) => Reshape | undefined;

/** An entry changed within, or told of wrongly; the archive around it is whole. */
export const zipEntries =
  (innerOf: InnerReshape): Reshape =>
  (bytes, ingredients) => {
    const { random } = ingredients;
    const entries = unzip(bytes);
    if (entries === undefined || entries.length === 0) return undefined;
    const at = random.integer(0, entries.length - 1);
    const entry = entries[at] as ZipEntry;
    const own = Buffer.from(entry.data);
    const drawn = random.uniform();
    const inner = innerOf(entry.name);
    const changedEntry = (): ZipEntry => {
      if (drawn < 0.7) return { ...entry, data: inner?.(own, ingredients) ?? changed(own, ingredients) };
      if (drawn < 0.75) return { ...entry, claimedBytes: Number(limit(random) & 0xffff_ffffn) };
      if (drawn < 0.8) return { ...entry, claimedCrc: random.uint32() };
      if (drawn < 0.85) return { ...entry, method: pick(random, [0, 8, 9, 12, 14, 93, 99]) };
      if (drawn < 0.87) return { ...entry, flags: random.integer(0, 65_535) };
      return {
        ...entry,
        name: changed(Buffer.from(entry.name), ingredients).toString('latin1').slice(0, 200),
      };
    };
    const made = changedEntry();
    if (drawn < 0.94) return buildZip(entries.with(at, made));
    return buildZip(drawn < 0.97 ? [...entries, made] : entries.toSpliced(at, 1));
  };

/** The entries of a whole archive; undefined of any other. */
function unzip(bytes: Buffer): readonly ZipEntry[] | undefined {
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end < 0 || bytes.length < end + 22) return undefined;
  try {
    const [size, offset] = [bytes.readUInt32LE(end + 12), bytes.readUInt32LE(end + 16)];
    return entriesIn(bytes.subarray(offset, offset + size))?.map((entry) => {
      const start =
        entry.offset + 30 + bytes.readUInt16LE(entry.offset + 26) + bytes.readUInt16LE(entry.offset + 28);
      const packed = bytes.subarray(start, start + entry.packedBytes);
      const data = entry.isDeflated ? inflateRawSync(packed, { maxOutputLength: 1_000_000 }) : packed;
      return { name: entry.name, data, method: entry.isDeflated ? 8 : 0 };
    });
  } catch {
    return undefined;
  }
}

/** A gzip file whose content is changed. */
export const gzipped: Reshape = (bytes, ingredients) => {
  try {
    return gzipSync(changed(gunzipSync(bytes, { maxOutputLength: 1_000_000 }), ingredients));
  } catch {
    return undefined;
  }
};

/** Values that no schema expects, and names that every object has. */
const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    -1e308,
    2 ** 31,
    2 ** 53,
    '',
    'x',
    '1',
    [],
    {},
    [[]],
    [null],
    [{}],
  ],
  ...['__proto__', 'constructor', 'toString', '\u0000', '\ud800', '../../x', 'x'.repeat(300)],
];
const NAMES = ['__proto__', 'constructor', 'toString', 'length', '', 'name', 'class_name', 'config', '0'];

/** A value somewhere in JSON replaced, removed, repeated, renamed or wrapped. */
export const jsonValues: Reshape = (bytes, ingredients) => {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  const { random, other } = ingredients;
  const parents: Record<string, unknown>[] = [];
  collect({ root: value }, parents);
  const parent = pick(random, parents);
  const keys = Object.keys(parent);
  const key = keys.length === 0 ? '' : pick(random, keys);
  const holder = parents[0] as { root: unknown };
  const own = parent[key];
  const drawn = random.uniform();
  if (drawn < 0.25) parent[key] = near(own, parents, random);
  else if (drawn < 0.4) parent[key] = pick(random, VALUES);
  else if (drawn < 0.45) parent[key] = Number(limit(random)) * pick(random, [1, -1, 0.5]);
  else if (drawn < 0.55 && parent !== holder)
    Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key];
  else if (drawn < 0.65) define(parent, pick(random, NAMES), own);
  else if (drawn < 0.72) parent[key] = [own, own];
  else if (drawn < 0.77) parent[key] = { [pick(random, NAMES)]: own };
  else if (drawn < 0.82) parent[key] = nested(random, own);
  else if (drawn < 0.92) parent[key] = pick(random, parents);
  else {
    try {
      parent[key] = JSON.parse(Buffer.from(other).toString('utf8'));
    } catch {
      parent[key] = typeof own === 'string' ? changed(Buffer.from(own), ingredients).toString('utf8') : -1;
    }
  }
  try {
    return Buffer.from(JSON.stringify(holder.root) ?? 'null');
  } catch {
    return undefined;
  }
};

/** A value of the same type: another number, a text that stands elsewhere. */
function near(own: unknown, parents: readonly object[], random: RandomStream): unknown {
  if (typeof own === 'number')
    return random.uniform() < 0.5 ? own + random.integer(-2, 2) : own * (random.uniform() * 4 - 1);
  if (typeof own === 'boolean') return !own;
  const alike = parents.flatMap(Object.values).filter((each) => typeof each === typeof own);
  return alike.length === 0 ? own : pick(random, alike);
}

function collect(value: object, into: Record<string, unknown>[]): void {
  into.push(value as Record<string, unknown>);
  for (const each of Object.values(value)) if (typeof each === 'object' && each !== null) collect(each, into);
}

/** An own field, whatever its name means elsewhere; the length of a list is its own. */
function define(parent: object, name: string, value: unknown): void {
  if (Array.isArray(parent) && name === 'length') return;
  Object.defineProperty(parent, name, { value, enumerable: true, configurable: true, writable: true });
}

function nested(random: RandomStream, value: unknown): unknown {
  let deep: unknown = value;
  const depth = random.integer(2, 60);
  for (let level = 0; level < depth; level++) deep = random.uniform() < 0.5 ? [deep] : { config: deep };
  return deep;
}

/** One line, or what is behind the first line feed, changed by another mutation: a first line may name what follows. */
export const behindFirstLine =
  (inner: Reshape): Reshape =>
  (bytes, ingredients) => {
    const at = bytes.indexOf('\n');
    if (at < 0) return undefined;
    const made = inner(bytes.subarray(at + 1), ingredients);
    return made === undefined ? undefined : Buffer.concat([bytes.subarray(0, at + 1), made]);
  };

const PNG_SIGNATURE = 8;

/** A chunk of a PNG changed, moved, repeated or removed; its checksum is right. */
export const pngChunks: Reshape = (bytes, ingredients) => {
  const { random } = ingredients;
  if (bytes.toString('latin1', 1, 4) !== 'PNG') return undefined;
  const chunks: { type: string; data: Buffer }[] = [];
  for (let at = PNG_SIGNATURE; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    chunks.push({
      type: bytes.toString('latin1', at + 4, at + 8),
      data: bytes.subarray(at + 8, at + 8 + length),
    });
    at += 12 + length;
  }
  if (chunks.length === 0) return undefined;
  const at = random.integer(0, chunks.length - 1);
  const own = chunks[at] as { type: string; data: Buffer };
  const drawn = random.uniform();
  if (drawn < 0.3) {
    const pixels = chunks.find(({ type }) => type === 'IDAT');
    if (pixels !== undefined) pixels.data = repacked(pixels.data, ingredients);
  } else if (drawn < 0.75) chunks[at] = { ...own, data: changed(own.data, ingredients) };
  else if (drawn < 0.85) chunks.splice(at, 1);
  else if (drawn < 0.92) chunks.splice(random.integer(0, chunks.length), 0, own);
  else
    chunks[at] = {
      ...own,
      type: pick(random, ['IDAT', 'PLTE', 'tRNS', 'iCCP', 'eXIf', 'acTL', 'zTXt', 'gAMA']),
    };
  return Buffer.concat([
    bytes.subarray(0, PNG_SIGNATURE),
    ...chunks.map(({ type, data }) => pngChunk(type, data)),
  ]);
};

/** What is packed, changed; as it is where it cannot be unpacked. */
function repacked(bytes: Buffer, ingredients: Ingredients): Buffer {
  try {
    return deflateSync(changedInPlace(inflateSync(bytes, { maxOutputLength: 1_000_000 }), ingredients));
  } catch {
    return bytes;
  }
}

/** A field of protobuf changed, repeated or removed, at any depth; the lengths around it are right. */
export const protobufFields: Reshape = (bytes, ingredients) => {
  const { random } = ingredients;
  const fields = fieldsIn(bytes);
  if (fields === undefined || fields.length === 0) return undefined;
  const at = random.integer(0, fields.length - 1);
  const own = fields[at] as ProtobufField;
  const drawn = random.uniform();
  if (drawn < 0.7) {
    const inner = own.wire === 2 && drawn < 0.5 ? protobufFields(own.content, ingredients) : undefined;
    const change = own.wire === 2 && random.uniform() < 0.5 ? changed : changedInPlace;
    fields[at] = { ...own, content: Buffer.from(inner ?? change(own.content, ingredients)) };
  } else if (drawn < 0.8) fields.splice(at, 1);
  else if (drawn < 0.95) fields.splice(random.integer(0, fields.length), 0, own);
  else fields[at] = { ...own, field: random.integer(1, 12) };
  return Buffer.concat(fields.map(written));
};

interface ProtobufField {
  readonly field: number;
  /** 0 a varint, 1 and 5 fixed, 2 with a length in front. */
  readonly wire: number;
  readonly content: Buffer;
}

function fieldsIn(bytes: Buffer): ProtobufField[] | undefined {
  const fields: ProtobufField[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length && shift < 35; shift += 7) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    const from = at;
    const length = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : Number.NaN;
    const start = wire === 2 ? at : from;
    if (wire === 0) varint();
    const end = wire === 0 ? at : start + length;
    if (!(end <= bytes.length) || tag < 8) return undefined;
    fields.push({ field: Math.floor(tag / 8), wire, content: bytes.subarray(start, end) });
    at = end;
  }
  return fields;
}

function written({ field, wire, content }: ProtobufField): Buffer {
  const tag = writtenVarint(field * 8 + wire);
  return Buffer.concat(wire === 2 ? [tag, writtenVarint(content.length), content] : [tag, content]);
}

function writtenVarint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 128);
  }
}

/** One of several mutations, whichever finds its format. */
export const oneOf =
  (...all: readonly Reshape[]): Reshape =>
  (bytes, ingredients) => {
    const { random } = ingredients;
    const from = random.integer(0, all.length - 1);
    for (let at = 0; at < all.length; at++) {
      const made = all[(from + at) % all.length]?.(bytes, ingredients);
      if (made !== undefined) return made;
    }
    return undefined;
  };

/** The bytes of some words. */
export const wordsOf = (...words: readonly string[]): readonly Uint8Array[] =>
  words.map((word) => Buffer.from(word, 'latin1'));
