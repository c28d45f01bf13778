/** One npy array (numpy's file format, versions 1 to 3) to and from typed arrays: npyjs behind our own checks. */
import { dump, parse } from 'npyjs';
import { DataError } from '../../core/errors.js';
import { formatShape, sizeOf } from '../../core/weights.js';
import { changeLine, kindOfArray, numberClassesLine, numberKeysLine, pickleLine } from './mending-lines.js';
import { type NpyHeader, readNpyHeader } from './npy-header.js';

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
  const header = readNpyHeader(bytes, (expected, found) => npyError(source, expected, found));
  const dtype = supportedDtype(header.descr, source);
  const { itemBytes } = DTYPES[dtype];
  const count = sizeOf(header.shape);
  const dataBytes = bytes.length - header.dataOffset;
  if (!Number.isSafeInteger(count) || dataBytes !== count * itemBytes) {
    const wanted = `hold ${count * itemBytes} bytes of data for ${dtype}${formatShape(header.shape)}`;
    const fault = dataBytes < count * itemBytes ? 'truncated' : 'trailing bytes';
    throw npyError(source, wanted, `${dataBytes} (${fault})`);
  }
  const values = parseValues(bytes, header, dtype).subarray(0, count);
  const { shape } = header;
  return { dtype, shape, values: header.fortranOrder ? toRowMajor(values, shape) : values };
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

/**
 * Writes an npy file (version 1.0); the dtype is that of `values`.
 *
 * @throws {RangeError} when `shape` does not hold as many elements as `values`: a bug of the caller.
 */
export function encodeNpy(
  values: Uint8Array | Int32Array | BigInt64Array | Float32Array | Float64Array,
  shape: readonly number[],
): Uint8Array {
  if (sizeOf(shape) !== values.length) {
    throw new RangeError(`${values.length} values do not fill the shape ${formatShape(shape)}`);
  }
  return new Uint8Array(dump(values, [...shape]));
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
  const file = usable ? buffer : realign(bytes.subarray(dataOffset), dtype, isBigEndian);
  return parse(file as ArrayBuffer).data as NpyValues;
}

/** The same data, little-endian, behind a header of our own; `bool` as u8, since npyjs would make a JavaScript array of it. */
function realign(data: Uint8Array, dtype: NpyDtype, isBigEndian: boolean): ArrayBufferLike {
  const code = dtype === 'bool' ? 'u1' : DTYPES[dtype].code;
  const empty = new Uint8Array(dump(new Uint8Array(0), [0], { dtype: code }));
  // Headers end at a multiple of 8 bytes, the largest item size.
  const file = new Uint8Array(empty.length + data.length);
  file.set(empty);
  file.set(data, empty.length);
  if (isBigEndian) swapBytes(Buffer.from(file.buffer, empty.length), DTYPES[dtype].itemBytes);
  return file.buffer;
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
  const wanted = `be of a number type (${Object.keys(DTYPES).join(', ')})`;
  throw npyError(source, wanted, describeDtype(descr), mendDtype(descr, source));
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

/** The line that makes numbers of what is none, for images and labels. */
function mendDtype(descr: string, { file, array }: NpySource): string | undefined {
  if (array === undefined) return undefined;
  const kind = kindOfArray(array);
  const code = descr.startsWith('[') ? 'structured' : descr.charAt(1);
  if (code === 'O') return pickleLine(file);
  if (kind === undefined) return /^[USMm]$/.test(code) ? numberKeysLine(file, array) : undefined;
  if (kind === 'y') return /^[USMm]$/.test(code) ? numberClassesLine(file) : undefined;
  const expressions: Readonly<Record<string, string>> = {
    U: 'v.astype("float32")',
    S: 'v.astype("float32")',
    f: 'v.astype("float64")',
    c: 'abs(v).astype("float32")',
    structured: 'np.stack([v[n] for n in v.dtype.names], axis=-1)',
  };
  const expression = expressions[code];
  return expression && changeLine(file, 'x', expression);
}

function npyError({ file, array }: NpySource, expected: string, found: string, mend?: string): DataError {
  return new DataError({
    file,
    expected: `${array === undefined ? 'the npy array' : `array ${array}`} to ${expected}`,
    found,
    mend,
  });
}
