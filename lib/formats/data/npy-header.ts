/** The header of an npy file (numpy/lib/format.py describes it): magic, version, dtype, order and shape. */

/** What an npy header says, not yet believed. */
export interface NpyHeader {
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
 * Reads the header at the start of `bytes` (numpy/lib/format.py describes it), versions 1.0, 2.0 and 3.0.
 *
 * @throws what `fault` makes of the first thing that is wrong.
 */
export function readNpyHeader(bytes: Uint8Array, fault: HeaderFault): NpyHeader {
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw fault('start with the npy magic \\x93NUMPY', bytes.length === 0 ? 'no bytes at all' : quote(bytes));
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

function quote(bytes: Uint8Array): string {
  return JSON.stringify(new TextDecoder('latin1').decode(bytes.subarray(0, 6)));
}
