/** Plain columns of Parquet files, page by page, in typed arrays: where a column may have gaps, hyparquet itself makes lists, value by value. */
import type { AsyncBuffer, DataPageHeader, DecodedArray, RowGroup, SchemaTree } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { compressors } from 'hyparquet-compressors';

/** Some values of a column. */
export interface PageValues {
  /** Numbers in a typed array, NaN for one that is missing, wherever that loses nothing. */
  readonly values: DecodedArray;
  /** What the numbers stand for, -1 for nothing. */
  readonly texts?: readonly string[];
}

/** A column of a row group. */
interface ColumnPlace {
  readonly file: AsyncBuffer;
  /** The root and the column. */
  readonly schemaPath: [SchemaTree, SchemaTree];
  readonly group: RowGroup;
}

/** More texts than these are not sent beside each page. */
const MOST_TEXTS = 4096;

/** Whether a child of the schema's root is a column of single values. */
export const isPlainColumn = ({ children, element }: SchemaTree): boolean =>
  children.length === 0 && element.repetition_type !== 'REPEATED';

/** The values of a column in a row group, as many as that has rows. @throws {Error} for a damaged file */
export async function* readPages({ file, schemaPath, group }: ColumnPlace): AsyncGenerator<PageValues> {
  const { element } = schemaPath[1];
  const rows = Number(group.num_rows);
  const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === element.name);
  const meta = chunk?.meta_data;
  if (meta === undefined) throw new Error(`no column ${element.name} in a row group`);
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const bytes = await file.slice(start, start + Number(meta.total_compressed_size));
  const reader = { view: new DataView(bytes), offset: 0 };
  const decoder = {
    ...{ pathInSchema: meta.path_in_schema, type: meta.type, codec: meta.codec, element, schemaPath },
    ...{ parsers: DEFAULT_PARSERS, compressors },
  };
  const [root, { element: _, ...node }] = schemaPath;
  const whole: SchemaTree = { ...node, element: { ...element, repetition_type: 'REQUIRED' } };
  // Of a page without gaps the levels are no list that is made and thrown away.
  const readFirst = (page: Uint8Array, facts: DataPageHeader) => {
    const levelBytes = element.repetition_type === 'OPTIONAL' ? bytesOfFullLevels(page, facts.num_values) : 0;
    if (levelBytes === 0) return readDataPage(page, facts, decoder);
    return readDataPage(page.subarray(levelBytes), facts, { ...decoder, schemaPath: [root, whole] });
  };
  let dictionary: DecodedArray | undefined;
  let read = 0;
  while (read < rows && reader.offset < bytes.byteLength - 1) {
    const header = parquetHeader(reader);
    const packed = new Uint8Array(bytes, reader.offset, header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    const unpacked = () => decompressPage(packed, header.uncompressed_page_size, meta.codec, compressors);
    const { dictionary_page_header: ofTexts, data_page_header: first, data_page_header_v2: second } = header;
    if (ofTexts !== undefined) {
      const page = unpacked();
      const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
      const values = readPlain({ view, offset: 0 }, meta.type, ofTexts.num_values, element.type_length);
      dictionary = withNumbers(convert(values, decoder));
      continue;
    }
    const facts = first ?? second;
    if (facts === undefined) throw new Error(`a page of the type ${header.type}`);
    const page = first === undefined ? readDataPageV2(packed, header, decoder) : readFirst(unpacked(), first);
    const isNumbered = dictionary !== undefined && facts.encoding.endsWith('_DICTIONARY');
    const found =
      isNumbered && dictionary !== undefined
        ? byDictionary(page.dataPage, dictionary)
        : { values: withNumbers(convert(page.dataPage, decoder)) };
    const all = withGaps(found, page.definitionLevels ?? []);
    const wanted = Math.min(all.values.length, rows - read);
    read += wanted;
    yield wanted === all.values.length ? all : { ...all, values: all.values.slice(0, wanted) };
  }
  if (read !== rows) throw new Error(`${read} values in ${rows} rows of column ${element.name}`);
}

/** How many bytes levels take that are one run of 1 for all values; 0 where they are others. */
function bytesOfFullLevels(page: Uint8Array, values: number): number {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  if (page.length < 5) return 0;
  const end = 4 + view.getUint32(0, true);
  let run = 0;
  for (let at = 4, shift = 0; at < end && at < page.length && shift < 35; at++, shift += 7) {
    const byte = page[at] as number;
    run += (byte & 127) * 2 ** shift;
    if (byte > 127) continue;
    const isRun = run % 2 === 0 && run / 2 >= values && at + 2 === end && page[at + 1] === 1;
    return isRun ? end : 0;
  }
  return 0;
}

/** Whole numbers of 64 bits as doubles, where these hold all of them. */
function withNumbers(values: DecodedArray): DecodedArray {
  if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) return values;
  const numbers = new Float64Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const number = Number(values[at]);
    if (!Number.isSafeInteger(number)) return values;
    numbers[at] = number;
  }
  return numbers;
}

function byDictionary(places: DecodedArray, dictionary: DecodedArray): PageValues {
  if (!Array.isArray(dictionary)) {
    const values = new (dictionary.constructor as Float64ArrayConstructor)(places.length);
    for (let at = 0; at < values.length; at++)
      values[at] = (dictionary as Float64Array)[places[at] as number] as number;
    return { values };
  }
  const texts: readonly unknown[] = dictionary;
  if (texts.length <= MOST_TEXTS && texts.every((text) => typeof text === 'string'))
    return { values: Int32Array.from(places as number[]), texts };
  return { values: Array.from(places as number[], (place) => texts[place]) };
}

/** Values with a place for each that is missing, which has another definition level. */
function withGaps({ values, texts }: PageValues, levels: readonly number[]): PageValues {
  const told = texts === undefined ? {} : { texts };
  if (levels.length <= values.length) return { values, ...told };
  let from = 0;
  if (Array.isArray(values) || values instanceof BigInt64Array || values instanceof BigUint64Array)
    return { values: levels.map((level) => (level === 1 ? values[from++] : null)) };
  const filled =
    texts !== undefined
      ? new Int32Array(levels.length).fill(-1)
      : new (values instanceof Float32Array ? Float32Array : Float64Array)(levels.length).fill(Number.NaN);
  for (let at = 0; at < filled.length; at++) if (levels[at] === 1) filled[at] = values[from++] as number;
  return { values: filled, ...told };
}
