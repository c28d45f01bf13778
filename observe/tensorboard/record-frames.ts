/** TFRecord, the framing of TensorBoard's event files: each record with its length and the masked CRC32C of both. */

/** Length (8 bytes) and its sum; the sum of the payload. */
const HEAD_BYTES = 12;
const TAIL_BYTES = 4;

/** One step of the CRC for each byte: Castagnoli's polynomial, reflected (RFC 3720, B.4). */
const STEPS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** The sum as TFRecord stores it: one over data that hold sums themselves would be weak. */
function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (STEPS[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  crc = ~crc;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A record of the payload. */
export function frameRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEAD_BYTES + payload.length + TAIL_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(payload.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(payload, HEAD_BYTES);
  view.setUint32(HEAD_BYTES + payload.length, maskedCrc32c(payload), true);
  return record;
}

/** A record in a file. */
interface SoundRecord {
  readonly payload: Uint8Array;
  /** Where what follows it begins. */
  readonly end: number;
}

/** The records that are whole, up to the first that is cut off or damaged. */
export function soundRecords(bytes: Uint8Array): readonly SoundRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: SoundRecord[] = [];
  let end = 0;
  while (end + HEAD_BYTES + TAIL_BYTES <= bytes.length) {
    if (view.getUint32(end + 8, true) !== maskedCrc32c(bytes.subarray(end, end + 8))) break;
    const from = end + HEAD_BYTES;
    const to = from + Number(view.getBigUint64(end, true));
    if (to + TAIL_BYTES > bytes.length) break;
    const payload = bytes.subarray(from, to);
    if (view.getUint32(to, true) !== maskedCrc32c(payload)) break;
    end = to + TAIL_BYTES;
    records.push({ payload, end });
  }
  return records;
}
