/** Mutations that know Parquet: a value of the footer or of a page's header, or what a page holds; all that points at it is right. */
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { changed, type Ingredients, limit, pick, type Reshape } from './mutate.js';
import { readThrift, type ThriftStruct, type ThriftValue, writeThrift } from './thrift.js';

/** Of a file, its footer and the pages of each chunk of a column. */
interface ParquetFrame {
  readonly footer: ThriftStruct;
  readonly chunks: readonly Chunk[];
}

interface Chunk {
  /** Within the footer. */
  readonly meta: ThriftStruct;
  readonly pages: Page[];
}

interface Page {
  readonly header: ThriftStruct;
  body: Buffer;
}

/** Fields of the format's definition, parquet.thrift, by their numbers. */
const FIELDS = {
  footer: { rowGroups: 4 },
  rowGroup: { columns: 1 },
  column: { meta: 3 },
  meta: { codec: 4, bytes: 7, dataOffset: 9, dictionaryOffset: 11 },
  page: { type: 1, bytes: 2, packedBytes: 3 },
} as const;
const DICTIONARY_PAGE = 2n;
const MAGIC = 'PAR1';
/** Length of the footer, and the magic behind it. */
const TAIL_BYTES = 8;

/** How a page is packed, by the number of its codec: those that Node knows. */
const CODECS: Readonly<Record<number, { unpack(bytes: Buffer): Buffer; pack(bytes: Buffer): Buffer }>> = {
  0: { unpack: (bytes) => bytes, pack: (bytes) => bytes },
  2: { unpack: (bytes) => gunzipSync(bytes), pack: (bytes) => gzipSync(bytes) },
  4: { unpack: (bytes) => brotliDecompressSync(bytes), pack: (bytes) => brotliCompressSync(bytes) },
};

/** One value changed somewhere in a file that is whole. */
export const parquetValues: Reshape = (bytes, ingredients) => {
  try {
    const frame = readFrame(bytes);
    const drawn = ingredients.random.uniform();
    const chunk = pick(ingredients.random, frame.chunks);
    const page = pick(ingredients.random, chunk.pages);
    if (drawn < 0.4) changeBody(chunk, page, ingredients);
    else if (drawn < 0.65) changeValue(page.header, ingredients);
    layOut(frame);
    if (drawn >= 0.65) changeValue(frame.footer, ingredients);
    return writeFrame(frame);
  } catch {
    return undefined;
  }
};

function changeBody({ meta }: Chunk, page: Page, ingredients: Ingredients): void {
  const codec = CODECS[Number(numberIn(meta, FIELDS.meta.codec))];
  if (codec === undefined) {
    page.body = changed(page.body, ingredients);
    return;
  }
  const body = changed(codec.unpack(page.body), ingredients);
  page.body = codec.pack(body);
  setNumber(page.header, FIELDS.page.bytes, body.length);
}

/** Changes one of all values below. */
function changeValue(root: ThriftStruct, ingredients: Ingredients): void {
  const { random } = ingredients;
  const value = pick(random, valuesBelow(root));
  if ('number' in value) {
    const drawn = random.uniform();
    const numbers = valuesBelow(root).flatMap((each) => ('number' in each ? [each.number] : []));
    if (drawn < 0.4) value.number = limit(random) * (random.uniform() < 0.2 ? -1n : 1n);
    else if (drawn < 0.7) value.number += BigInt(random.integer(-4, 4));
    else value.number = pick(random, numbers);
  } else if ('bytes' in value) value.bytes = changed(Buffer.from(value.bytes), ingredients);
  else if ('items' in value) repeatOrRemove(value.items, ingredients);
  else if ('fields' in value) repeatOrRemove(value.fields, ingredients);
  else value.type = value.type === 1 ? 2 : 1;
}

function repeatOrRemove<Each>(all: Each[], { random }: Ingredients): void {
  if (all.length === 0) return;
  const at = random.integer(0, all.length - 1);
  if (random.uniform() < 0.5) all.splice(at, 1);
  else all.splice(random.integer(0, all.length), 0, all[at] as Each);
}

function valuesBelow(value: ThriftValue): readonly ThriftValue[] {
  const inner =
    'items' in value ? value.items : 'fields' in value ? value.fields.map(([, each]) => each) : [];
  return [value, ...inner.flatMap(valuesBelow)];
}

/** @throws {Error} what is no whole file */
function readFrame(bytes: Buffer): ParquetFrame {
  const end = bytes.length - TAIL_BYTES;
  const start = end - bytes.readUInt32LE(end);
  const { value: footer } = readThrift(bytes.subarray(start, end), 0);
  const columns = itemsIn(footer, FIELDS.footer.rowGroups).flatMap((group) =>
    itemsIn(group, FIELDS.rowGroup.columns),
  );
  const chunks = columns.map((column) => {
    const meta = structIn(column, FIELDS.column.meta);
    const { bytes: sizeField, dataOffset, dictionaryOffset } = FIELDS.meta;
    const first = Number(numberIn(meta, dictionaryOffset) || numberIn(meta, dataOffset));
    const last = first + Number(numberIn(meta, sizeField));
    const pages: Page[] = [];
    for (let at = first; at < last; ) {
      const { value: header, end: from } = readThrift(bytes, at);
      at = from + Number(numberIn(header, FIELDS.page.packedBytes));
      pages.push({ header, body: bytes.subarray(from, at) });
    }
    return { meta, pages };
  });
  return { footer, chunks };
}

/** Writes down in the footer and in the headers where everything lies, and how large it is. */
function layOut({ chunks }: ParquetFrame): void {
  let at = MAGIC.length;
  for (const { meta, pages } of chunks) {
    const { bytes: sizeField, dataOffset, dictionaryOffset } = FIELDS.meta;
    const start = at;
    for (const { header, body } of pages) {
      const isDictionary = numberIn(header, FIELDS.page.type) === DICTIONARY_PAGE;
      if (isDictionary) setNumber(meta, dictionaryOffset, at);
      else if (at === start || numberIn(meta, dataOffset) < start) setNumber(meta, dataOffset, at);
      setNumber(header, FIELDS.page.packedBytes, body.length);
      at += writeThrift(header).length + body.length;
    }
    setNumber(meta, sizeField, at - start);
  }
}

function writeFrame({ footer, chunks }: ParquetFrame): Buffer {
  const pages = chunks.flatMap((chunk) =>
    chunk.pages.flatMap(({ header, body }) => [writeThrift(header), body]),
  );
  const written = writeThrift(footer);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(written.length);
  return Buffer.concat([Buffer.from(MAGIC), ...pages, written, length, Buffer.from(MAGIC)]);
}

function fieldIn(struct: ThriftValue, id: number): ThriftValue | undefined {
  return 'fields' in struct ? struct.fields.find(([own]) => own === id)?.[1] : undefined;
}

function numberIn(struct: ThriftValue, id: number): bigint {
  const value = fieldIn(struct, id);
  return value !== undefined && 'number' in value ? value.number : 0n;
}

function setNumber(struct: ThriftValue, id: number, number: number): void {
  const value = fieldIn(struct, id);
  if (value !== undefined && 'number' in value) value.number = BigInt(number);
}

function itemsIn(struct: ThriftValue, id: number): readonly ThriftValue[] {
  const value = fieldIn(struct, id);
  return value !== undefined && 'items' in value ? value.items : [];
}

function structIn(struct: ThriftValue, id: number): ThriftStruct {
  const value = fieldIn(struct, id);
  if (value === undefined || !('fields' in value)) throw new Error(`no struct in field ${id}`);
  return value;
}
