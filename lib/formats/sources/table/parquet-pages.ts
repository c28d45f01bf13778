/** Plain columns of Parquet files, page by page, in typed arrays: hyparquet itself makes lists of levels, places and values, one by one. */
import type {
  AsyncBuffer,
  CompressionCodec,
  DecodedArray,
  PageHeader,
  RowGroup,
  SchemaTree,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { compressors } from 'hyparquet-compressors';
import { readLevels, readRuns } from './parquet-runs.js';

/** Some values of a column. */
export interface PageValues {
  /** Numbers in a typed array, NaN for one that is missing, wherever that loses nothing. */
  readonly values: DecodedArray;
  /** What the numbers stand for, -1 for nothing. */
  readonly texts?: readonly string[];
}

/** Memory that is used again and again: fresh memory costs more than what is done in it. */
export class ReusedBuffer {
  #buffer = new ArrayBuffer(0);

  /** At least so many bytes, which hold until the next are taken. */
  take(sizeBytes: number): ArrayBuffer {
    if (this.#buffer.byteLength < sizeBytes) this.#buffer = new ArrayBuffer(sizeBytes);
    return this.#buffer;
  }
}

/** ReusedBuffer for what is read of a column, and for what becomes of it. */
export interface PageBuffers {
  readonly places: ReusedBuffer;
  readonly values: ReusedBuffer;
}

/** A file of columns. */
export interface ColumnFile extends AsyncBuffer {
  /** Its bytes from one place to another, fewer at its end; they hold until the next are read. */
  read(start: number, end: number): Uint8Array<ArrayBuffer>;
}

/** A column of a row group. */
interface ColumnPlace {
  readonly file: ColumnFile;
  readonly rooms: PageBuffers;
  /** The root and the column. */
  readonly schemaPath: readonly [SchemaTree, SchemaTree];
  readonly group: RowGroup;
}

/** More texts than these are not sent beside each page. */
const MOST_TEXTS = 4096;

/** Whether a child of the schema's root is a column of single values. */
export const isPlainColumn = ({ children, element }: SchemaTree): boolean =>
  children.length === 0 && element.repetition_type !== 'REPEATED';

/** The values of a column in a row group, as many as that has rows; those of a page hold until the next is asked for. @throws {Error} for a damaged file */
export function* readPages({ file, rooms, schemaPath, group }: ColumnPlace): Generator<PageValues> {
  const [root, { element, ...node }] = schemaPath;
  const rows = Number(group.num_rows);
  const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === element.name);
  const meta = chunk?.meta_data;
  if (meta === undefined) throw new Error(`no column ${element.name} in a row group`);
  const { codec, type } = meta;
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const bytes = file.read(start, start + Number(meta.total_compressed_size));
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const decoder = {
    ...{ pathInSchema: meta.path_in_schema, type, codec, element, schemaPath: [...schemaPath] },
    ...{ parsers: DEFAULT_PARSERS, compressors },
  };
  // What is left of a page when its levels are read is one of a column without gaps.
  const whole: SchemaTree = { ...node, element: { ...element, repetition_type: 'REQUIRED' } };
  const wholeDecoder = { ...decoder, schemaPath: [root, whole] };
  const form = { hasLevels: element.repetition_type !== 'REQUIRED', codec };
  let dictionary: DecodedArray = [];
  let read = 0;
  while (read < rows && reader.offset < bytes.byteLength - 1) {
    const header = parquetHeader(reader);
    const packed = partOf(bytes, reader.offset, header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    const { dictionary_page_header: ofTexts } = header;
    if (ofTexts !== undefined) {
      const page = decompressPage(packed, header.uncompressed_page_size, codec, compressors);
      const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
      const values = readPlain({ view, offset: 0 }, type, ofTexts.num_values, element.type_length);
      dictionary = withNumbers(convert(values, decoder));
      continue;
    }
    const facts = header.data_page_header ?? header.data_page_header_v2;
    if (facts === undefined) throw new Error(`a page of the type ${header.type}`);
    const { num_values: count, encoding } = facts;
    // Before room is made for them.
    if (!(read + count <= rows)) throw new Error(`more values than ${rows} rows in column ${element.name}`);
    read += count;
    const { page, levels } = unpacked(packed, header, { ...form, count });
    const present = levels === undefined ? count : countOnes(levels);
    if (encoding.endsWith('_DICTIONARY'))
      yield withGaps(byDictionary(placesIn(page, present, rooms.places), dictionary, rooms.values), levels);
    else {
      const { dataPage } = readDataPage(page, { ...NO_LEVELS, num_values: present, encoding }, wholeDecoder);
      yield withGaps({ values: withNumbers(convert(dataPage, decoder)) }, levels);
    }
  }
  if (read !== rows) throw new Error(`${read} values in ${rows} rows of column ${element.name}`);
}

const NO_LEVELS = { definition_level_encoding: 'RLE', repetition_level_encoding: 'RLE' } as const;

interface PageForm {
  readonly codec: CompressionCodec;
  /** Whether the column may have gaps. */
  readonly hasLevels: boolean;
  /** Values and gaps. */
  readonly count: number;
}

/** What follows the levels of a page, and these where it has gaps: of a first version's page they are packed with the rest. */
function unpacked(packed: Uint8Array, header: PageHeader, { codec, hasLevels, count }: PageForm) {
  const { uncompressed_page_size: size, data_page_header_v2: second } = header;
  if (second === undefined) {
    const page = decompressPage(packed, size, codec, compressors);
    if (!hasLevels) return { page, levels: undefined };
    const start = 4 + new DataView(page.buffer, page.byteOffset, page.byteLength).getUint32(0, true);
    return { page: page.subarray(start), levels: readLevels(page.subarray(4, start), count) };
  }
  const { definition_levels_byte_length: ofLevels, repetition_levels_byte_length: before } = second;
  const rest = packed.subarray(before + ofLevels);
  const restSize = size - before - ofLevels;
  // A page of gaps alone may have nothing to unpack, which is no valid stream.
  const isPacked = second.is_compressed !== false && restSize !== 0;
  return {
    page: isPacked ? decompressPage(rest, restSize, codec, compressors) : rest,
    levels: hasLevels ? readLevels(packed.subarray(before, before + ofLevels), count) : undefined,
  };
}

/** @throws {RangeError} for a part that the bytes do not hold whole, as of a page that is cut off */
function partOf({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>, start: number, size: number) {
  if (!(start + size <= length)) throw new RangeError('a page beyond its column');
  return new Uint8Array(buffer, byteOffset + start, size);
}

function countOnes(levels: Int32Array): number {
  let count = 0;
  for (let at = 0; at < levels.length; at++) count += levels[at] as number;
  return count;
}

/** The places in a dictionary that a page holds: their width in bits, and then runs of them. */
function placesIn(page: Uint8Array, count: number, room: ReusedBuffer): Int32Array {
  const places = new Int32Array(room.take(4 * count), 0, count);
  if (count > 0) readRuns(page.subarray(1), page[0] ?? 0, places);
  return places;
}

/** Whole numbers of 64 bits as doubles, where these hold all of them. */
function withNumbers(values: DecodedArray): DecodedArray {
  if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) return values;
  const numbers = new Float64Array(values.length);
  // By halves: one that is read whole is an object.
  const lows = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  const highs =
    values instanceof BigInt64Array ? new Int32Array(lows.buffer, lows.byteOffset, lows.length) : lows;
  for (let at = 0; at < numbers.length; at++) {
    const number = (highs[2 * at + 1] as number) * 2 ** 32 + (lows[2 * at] as number);
    if (!Number.isSafeInteger(number)) return values;
    numbers[at] = number;
  }
  return numbers;
}

/** @throws {Error} for a place that the dictionary lacks */
function byDictionary(places: Int32Array, dictionary: DecodedArray, room: ReusedBuffer): PageValues {
  if (!Array.isArray(dictionary)) {
    const { length } = places;
    const Values = dictionary.constructor as Float64ArrayConstructor;
    const values = new Values(room.take(length * Values.BYTES_PER_ELEMENT), 0, length);
    // Of numbers of one kind there is code that is fast, of several kinds there is none.
    if (dictionary.BYTES_PER_ELEMENT === 4) lookUp32(places, words32(dictionary), words32(values));
    else lookUp64(places, words64(dictionary), words64(values));
    return { values };
  }
  const texts: readonly unknown[] = dictionary;
  requirePlaces(places, texts.length);
  if (texts.length <= MOST_TEXTS && texts.every((text) => typeof text === 'string'))
    return { values: places, texts };
  return { values: Array.from(places, (place) => texts[place]) };
}

const words32 = ({ buffer, byteOffset, length }: WordsOf) => new Int32Array(buffer, byteOffset, length);
const words64 = ({ buffer, byteOffset, length }: WordsOf) => new Float64Array(buffer, byteOffset, length);
type WordsOf = Pick<Float64Array, 'buffer' | 'byteOffset' | 'length'>;

function lookUp32(places: Int32Array, dictionary: Int32Array, into: Int32Array): void {
  for (let at = 0; at < into.length; at++) {
    const place = places[at] as number;
    if (place >>> 0 >= dictionary.length) requirePlaces(places, dictionary.length);
    into[at] = dictionary[place] as number;
  }
}

function lookUp64(places: Int32Array, dictionary: Float64Array, into: Float64Array): void {
  for (let at = 0; at < into.length; at++) {
    const place = places[at] as number;
    if (place >>> 0 >= dictionary.length) requirePlaces(places, dictionary.length);
    into[at] = dictionary[place] as number;
  }
}

function requirePlaces(places: Int32Array, length: number): void {
  for (let at = 0; at < places.length; at++)
    if ((places[at] as number) >>> 0 >= length)
      throw new Error(`the place ${places[at]} in a dictionary of ${length} values`);
}

/** Values with a place for each that is missing, whose level is not 1. */
function withGaps({ values, texts }: PageValues, levels: Int32Array | undefined): PageValues {
  const told = texts === undefined ? {} : { texts };
  if (levels === undefined) return { values, ...told };
  let from = 0;
  if (Array.isArray(values) || values instanceof BigInt64Array || values instanceof BigUint64Array)
    return { values: Array.from(levels, (level) => (level === 1 ? values[from++] : null)) };
  const filled =
    texts !== undefined
      ? new Int32Array(levels.length).fill(-1)
      : new (values instanceof Float32Array ? Float32Array : Float64Array)(levels.length).fill(Number.NaN);
  for (let at = 0; at < filled.length; at++) if (levels[at] === 1) filled[at] = values[from++] as number;
  return { values: filled, ...told };
}
