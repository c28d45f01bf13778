/** The header of an npy file: magic, version, and a Python dictionary with dtype, order and shape. */

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
export type HeaderFault = (expected: string, found: string) => Error;

/** numpy pads headers to 64 or 128 bytes and itself refuses more than 10,000; more is damage or malice. */
const MAX_HEADER_BYTES = 65_536;
/** numpy's own limit on dimensions (NPY_MAXDIMS). */
const MAX_RANK = 64;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const ENTRY =
  /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|\[.*\]|True|False|\((?:\s*\d+L?\s*,?)*\s*\))\s*(?:,|(?=\}))/gy;

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
  const entries = new Map<string, string>();
  const body = text.trim();
  ENTRY.lastIndex = 1;
  let end = 1;
  for (let match = ENTRY.exec(body); match !== null; match = ENTRY.exec(body)) {
    entries.set(match[1] as string, match[2] as string);
    end = ENTRY.lastIndex;
  }
  const descr = entries.get('descr') ?? '';
  const order = entries.get('fortran_order') ?? '';
  const shape = entries.get('shape') ?? '';
  const whole = body.startsWith('{') && body.slice(end).trim() === '}' && entries.size === 3;
  if (!whole || !/^['[]/.test(descr) || !/^[TF]/.test(order) || !shape.startsWith('(')) {
    throw fault(
      "have a header {'descr': …, 'fortran_order': …, 'shape': …}",
      JSON.stringify(body.slice(0, 80)),
    );
  }
  const extents = (shape.match(/\d+/g) ?? []).map(Number);
  if (extents.length > MAX_RANK) {
    throw fault(`have at most ${MAX_RANK} dimensions`, String(extents.length));
  }
  return {
    descr: descr.startsWith("'") ? descr.slice(1, -1) : descr,
    fortranOrder: order === 'True',
    shape: extents,
  };
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function quote(bytes: Uint8Array): string {
  return JSON.stringify(new TextDecoder('latin1').decode(bytes.subarray(0, 6)));
}
