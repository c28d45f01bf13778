/** One npy array (numpy/lib/format.py describes the file: magic, version, header and values) to and from typed arrays: npyjs behind our own checks. */
import { dump, parse } from 'npyjs';
import { DataError } from '../../core/errors.js';
import { formatShape, sizeOf } from '../../core/weights.js';
import { type ArrayRows, onePiece } from '../../federation/example-rows.js';
import { dtypeOf, type ExampleDtype } from '../../federation/examples.js';
import { numbersLine } from './mending-lines.js';

/** Element types that we read, by numpy's names. */
export type NpyDtype = keyof typeof DTYPES;

/** Values of an array; `bool` comes as 0 and 1, `float16` widened to float32, 64-bit integers as bigints. */
export type NpyValues =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** An array of numpy, C order. */
export interface NpyArray {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  /** Row-major; length is the product of `shape`. */
  readonly values: NpyValues;
}

/** Rows of an array of numpy. */
export interface NpyRows extends ArrayRows<NpyValues> {
  readonly dtype: NpyDtype;
  /** Whether it is known that all numbers are finite. */
  readonly areFinite?: boolean;
  /** Whether NaN stands for a number that is missing, and for which the splitter puts another one. */
  readonly lacksNumbers?: boolean;
}

/** Where an array comes from, for error messages. */
export interface NpySource {
  readonly file: string;
  /** Name of the array within an npz. */
  readonly array?: string;
}

const DTYPES = {
  bool: { code: 'b1', itemBytes: 1 },
  uint8: { code: 'u1', itemBytes: 1 },
  uint16: { code: 'u2', itemBytes: 2 },
  uint32: { code: 'u4', itemBytes: 4 },
  uint64: { code: 'u8', itemBytes: 8 },
  int8: { code: 'i1', itemBytes: 1 },
  int16: { code: 'i2', itemBytes: 2 },
  int32: { code: 'i4', itemBytes: 4 },
  int64: { code: 'i8', itemBytes: 8 },
  float16: { code: 'f2', itemBytes: 2 },
  float32: { code: 'f4', itemBytes: 4 },
  float64: { code: 'f8', itemBytes: 8 },
} as const;

/**
 * Reads the bytes of an npy file, of either byte order and either order of axes. The values may share memory with
 * `bytes`.
 *
 * @throws {DataError} when the header is not numpy's, the dtype is one that we do not read (object, text, structured,
 *   …), or the data is shorter or longer than its shape says.
 */
export function decodeNpy(bytes: Uint8Array, source: NpySource): NpyArray {
  const { header, dtype } = checkedHeader(bytes, bytes.length, source);
  const { shape } = header;
  const values = parseValues(bytes, header, dtype).subarray(0, sizeOf(shape));
  return { dtype, shape, values: header.fortranOrder ? toRowMajor(values, shape) : values };
}

/** An array that is in memory, as rows. */
export const rowsOfArray = (array: NpyArray): NpyRows => ({
  ...array,
  pieces: () => onePiece(array.values),
});

/** How the values of an array lie in its file, for a reader of pieces. */
export interface NpyLayout {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  /** Whether the first axis runs fastest: rows are then no pieces of the file. */
  readonly fortranOrder: boolean;
  readonly itemBytes: number;
  /** Where the values begin, in bytes. */
  readonly dataOffset: number;
  /** Room that {@link decode} wants in front of values. */
  readonly roomBytes: number;
  /** The values that fill an ArrayBuffer behind that room, which is written over; they may share its memory. */
  decode(buffer: ArrayBuffer): NpyValues;
}

/**
 * Reads the header of an npy file.
 *
 * @param head the first bytes, `MOST_HEAD_BYTES` or all
 * @param sizeBytes of the whole file
 * @throws {DataError} as `decodeNpy`
 */
export function npyLayout(head: Uint8Array, sizeBytes: number, source: NpySource): NpyLayout {
  const { header, dtype } = checkedHeader(head, sizeBytes, source);
  const { shape, fortranOrder, dataOffset, descr } = header;
  const own = ownHead(dtype);
  return {
    ...{ dtype, shape, fortranOrder, dataOffset, itemBytes: DTYPES[dtype].itemBytes, roomBytes: own.length },
    decode: (buffer) => parseBehind(own, buffer, { dtype, isBigEndian: descr.startsWith('>') }),
  };
}

/** The header of a file, where the rest of it is as long as the header says. */
function checkedHeader(head: Uint8Array, sizeBytes: number, source: NpySource) {
  const header = readNpyHeader(head, (expected, found) => npyError(source, expected, found));
  const dtype = supportedDtype(header.descr, source);
  const { itemBytes } = DTYPES[dtype];
  const count = sizeOf(header.shape);
  const dataBytes = sizeBytes - header.dataOffset;
  if (Number.isSafeInteger(count) && dataBytes === count * itemBytes) return { header, dtype };
  const wanted = `hold ${count * itemBytes} bytes of data for ${dtype}${formatShape(header.shape)}`;
  const fault = dataBytes < count * itemBytes ? 'truncated' : 'trailing bytes';
  throw npyError(source, wanted, `${dataBytes} (${fault})`);
}

/** A copy in C order of values in Fortran's, where the first axis runs fastest. */
function toRowMajor(values: NpyValues, shape: readonly number[]): NpyValues {
  const ordered = values.slice();
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const place = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < values.length; to++) {
    ordered[to] = values[from] as never;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [at, extent, stride] = [place[axis] as number, shape[axis] as number, strides[axis] as number];
      if (at + 1 < extent) {
        place[axis] = at + 1;
        from += stride;
        break;
      }
      place[axis] = 0;
      from -= at * stride;
    }
  }
  return ordered;
}

/** What an npy file can be written of. */
export type WritableValues = Uint8Array | Int32Array | BigInt64Array | Float32Array | Float64Array;

/**
 * Writes an npy file (version 1.0); the dtype is that of `values`.
 *
 * @throws {RangeError} when `shape` does not hold as many elements as `values`: a bug of the caller.
 */
export function encodeNpy(values: WritableValues, shape: readonly number[]): Uint8Array {
  return new Uint8Array(Buffer.concat(npyParts(values, shape)));
}

/** The same in two parts: what stands in front of the values, and these, where they lie. @throws {RangeError} likewise */
export function npyParts(
  values: WritableValues,
  shape: readonly number[],
): readonly [head: Uint8Array, data: Uint8Array] {
  if (sizeOf(shape) !== values.length) {
    throw new RangeError(`${values.length} values do not fill the shape ${formatShape(shape)}`);
  }
  const dtype = values instanceof BigInt64Array ? 'int64' : dtypeOf(values);
  return [encodeNpyHead(dtype, shape), new Uint8Array(values.buffer, values.byteOffset, values.byteLength)];
}

/** What stands in front of values of a dtype that fill a shape. */
export function encodeNpyHead(dtype: ExampleDtype | 'int64', shape: readonly number[]): Uint8Array {
  // npyjs compares no lengths.
  return new Uint8Array(dump(new Uint8Array(0), [...shape], { dtype: DTYPES[dtype].code }));
}

/**
 * npyjs looks at a whole ArrayBuffer to its end, so it gets one that starts with the file and is aligned. Bytes need no
 * alignment: images are looked at where they lie, in an archive of any size.
 */
function parseValues(bytes: Uint8Array, { dataOffset, descr }: NpyHeader, dtype: NpyDtype): NpyValues {
  if (dtype === 'uint8') {
    return new Uint8Array(bytes.buffer, bytes.byteOffset + dataOffset, bytes.length - dataOffset);
  }
  const { itemBytes } = DTYPES[dtype];
  const { buffer, byteOffset } = bytes;
  const isBigEndian = descr.startsWith('>');
  const usable =
    dtype !== 'bool' &&
    !isBigEndian &&
    byteOffset === 0 &&
    dataOffset % itemBytes === 0 &&
    buffer.byteLength % itemBytes === 0;
  if (usable) return parse(buffer as ArrayBuffer).data as NpyValues;
  const head = ownHead(dtype);
  const file = new Uint8Array(head.length + bytes.length - dataOffset);
  file.set(bytes.subarray(dataOffset), head.length);
  return parseBehind(head, file.buffer, { dtype, isBigEndian });
}

/** A header of our own, which ends at a multiple of 8 bytes, the largest item size; `bool` as u8, since npyjs would make a JavaScript array of it. */
function ownHead(dtype: NpyDtype): Uint8Array {
  return new Uint8Array(
    dump(new Uint8Array(0), [0], { dtype: dtype === 'bool' ? 'u1' : DTYPES[dtype].code }),
  );
}

/** The values behind the room for a header, little-endian. */
function parseBehind(
  head: Uint8Array,
  file: ArrayBuffer,
  { dtype, isBigEndian }: { readonly dtype: NpyDtype; readonly isBigEndian: boolean },
): NpyValues {
  new Uint8Array(file).set(head);
  if (isBigEndian) swapBytes(Buffer.from(file, head.length), DTYPES[dtype].itemBytes);
  return parse(file).data as NpyValues;
}

function swapBytes(data: Buffer, itemBytes: number): void {
  if (itemBytes === 2) data.swap16();
  if (itemBytes === 4) data.swap32();
  if (itemBytes === 8) data.swap64();
}

function supportedDtype(descr: string, source: NpySource): NpyDtype {
  for (const [name, { code, itemBytes }] of Object.entries(DTYPES)) {
    const orders = itemBytes === 1 ? '<>|' : '<>';
    if (descr.slice(1) === code && orders.includes(descr.charAt(0))) return name as NpyDtype;
  }
  const { file, array } = source;
  const mend = array === undefined ? undefined : numbersLine(descr, { file, array });
  const wanted = `be of a number type (${Object.keys(DTYPES).join(', ')})`;
  throw npyError(source, wanted, describeDtype(descr), mend);
}

function describeDtype(descr: string): string {
  if (descr.startsWith('[')) return 'a structured dtype';
  const names: Readonly<Record<string, string>> = {
    O: 'Python objects (pickled, never read because that could run code)',
    U: 'text',
    S: 'byte strings',
    V: 'raw bytes',
    c: 'complex numbers',
    M: 'dates',
    m: 'time differences',
  };
  const named = names[descr.charAt(1)];
  return named === undefined ? `dtype '${descr}'` : `${named}, dtype '${descr}'`;
}

function npyError({ file, array }: NpySource, expected: string, found: string, mend?: string): DataError {
  return new DataError({
    file,
    expected: `${array === undefined ? 'the npy array' : `array ${array}`} to ${expected}`,
    found,
    mend,
  });
}

/** What an npy header says, not yet believed. */
interface NpyHeader {
  /** numpy's dtype string, e.g. `<f4`; for a structured dtype its whole list. */
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Where the data starts, in bytes. */
  readonly dataOffset: number;
}

/** Makes the error of a failed check; `expected` completes "expected the array to …". */
type HeaderFault = (expected: string, found: string) => Error;

/** numpy pads headers to 64 or 128 bytes and itself refuses more than 10,000; more is damage or malice. */
const MAX_HEADER_BYTES = 65_536;
/** So many bytes of a file hold its header, with magic, version and length. */
export const MOST_HEAD_BYTES = MAX_HEADER_BYTES + 12;
/** numpy's own limit on dimensions (NPY_MAXDIMS). */
const MAX_RANK = 64;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** One entry of the dictionary; without nested repetition, so that no header takes long to refuse. */
const ENTRY =
  /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|\[.*\]|True|False|\([\d\sL,]*\))\s*(?:,|(?=\}))/gy;
/** An extent; Python 2 wrote some with an L. */
const EXTENT = /^\d+L?$/;

/**
 * Reads the header at the start of `bytes`, versions 1.0, 2.0 and 3.0.
 *
 * @throws what `fault` makes of the first thing that is wrong.
 */
function readNpyHeader(bytes: Uint8Array, fault: HeaderFault): NpyHeader {
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw fault(
      'start with the npy magic \\x93NUMPY',
      bytes.length === 0 ? 'no bytes at all' : quoted(bytes),
    );
  }
  const major = bytes[6] ?? 0;
  if (major < 1 || major > 3) throw fault('be of npy version 1, 2 or 3', `version ${major}`);
  const lengthBytes = major === 1 ? 2 : 4;
  const start = 8 + lengthBytes;
  const headerBytes = littleEndian(bytes.subarray(8, start));
  if (headerBytes > MAX_HEADER_BYTES) {
    throw fault(`have a header of at most ${MAX_HEADER_BYTES} bytes`, `one of ${headerBytes}`);
  }
  const dataOffset = start + headerBytes;
  if (bytes.length < dataOffset) {
    throw fault(`have a header of ${dataOffset} bytes`, `only ${bytes.length} (truncated)`);
  }
  const text = new TextDecoder(major === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(start, dataOffset));
  return { ...readDictionary(text, fault), dataOffset };
}

function readDictionary(text: string, fault: HeaderFault): Omit<NpyHeader, 'dataOffset'> {
  const body = text.trim();
  const malformed = () =>
    fault("have a header {'descr': …, 'fortran_order': …, 'shape': …}", JSON.stringify(body.slice(0, 80)));
  const entries = new Map<string, string>();
  let end = 1;
  ENTRY.lastIndex = end;
  for (let match = ENTRY.exec(body); match !== null; match = ENTRY.exec(body)) {
    const [, key = '', value = ''] = match;
    if (entries.has(key)) throw malformed();
    entries.set(key, value);
    end = ENTRY.lastIndex;
  }
  if (!body.startsWith('{') || body.slice(end).trim() !== '}') throw malformed();
  const descr = entries.get('descr') ?? '';
  const order = entries.get('fortran_order') ?? '';
  const shape = readShape(entries.get('shape') ?? '');
  if (!/^['[]/.test(descr) || !/^(True|False)$/.test(order) || shape === undefined) throw malformed();
  if (shape.length > MAX_RANK) throw fault(`have at most ${MAX_RANK} dimensions`, String(shape.length));
  return { descr: descr.startsWith("'") ? descr.slice(1, -1) : descr, fortranOrder: order === 'True', shape };
}

/** The extents of a Python tuple such as `()`, `(3,)` or `(60000, 28, 28)`; undefined when it is something else. */
function readShape(tuple: string): readonly number[] | undefined {
  if (!tuple.startsWith('(')) return undefined;
  const parts = tuple
    .slice(1, -1)
    .split(',')
    .map((part) => part.trim());
  if (parts.at(-1) === '') parts.pop();
  return parts.every((part) => EXTENT.test(part))
    ? parts.map((part) => Number.parseInt(part, 10))
    : undefined;
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function quoted(bytes: Uint8Array): string {
  return JSON.stringify(new TextDecoder('latin1').decode(bytes.subarray(0, 6)));
}
