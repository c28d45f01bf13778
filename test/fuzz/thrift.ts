/** Thrift's compact protocol, read into values that can be changed, and written again. */

/** Fields by their numbers. */
export interface ThriftStruct {
  readonly type: 12;
  readonly fields: [id: number, value: ThriftValue][];
}

/** A value with the number of its type. */
export type ThriftValue =
  | { type: 1 | 2 }
  | { readonly type: 3 | 4 | 5 | 6; number: bigint }
  | { readonly type: 7 | 8; bytes: Buffer }
  | { readonly type: 9; readonly of: number; readonly items: ThriftValue[] }
  | ThriftStruct;

const DOUBLE_BYTES = 8;
/** A list says its length beside its type, or behind it. */
const LONG_LIST = 15;

/** Reads a struct. @throws {Error} what is none */
export function readThrift(
  bytes: Buffer,
  start: number,
): { readonly value: ThriftStruct; readonly end: number } {
  let at = start;
  const byte = (): number => bytes.readUInt8(at++);
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const each = byte();
      value |= BigInt(each & 127) << shift;
      if (each < 128) return value;
    }
  };
  const zigzag = (): bigint => {
    const value = varint();
    return (value >> 1n) ^ -(value & 1n);
  };
  const taken = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError('beyond the end');
    at += length;
    return Buffer.from(bytes.subarray(at - length, at));
  };
  const value = (type: number): ThriftValue => {
    switch (type) {
      case 1:
      case 2:
        return { type };
      case 3:
        return { type, number: BigInt(byte()) };
      case 4:
      case 5:
      case 6:
        return { type, number: zigzag() };
      case 7:
        return { type, bytes: taken(DOUBLE_BYTES) };
      case 8:
        return { type, bytes: taken(Number(varint())) };
      case 9: {
        const head = byte();
        const of = head & 15;
        const length = head >> 4 === LONG_LIST ? Number(varint()) : head >> 4;
        const isBoolean = of === 1 || of === 2;
        const items = Array.from({ length }, () => value(isBoolean ? 3 : of));
        return { type, of, items };
      }
      case 12:
        return struct();
      default:
        throw new Error(`no type ${type}`);
    }
  };
  const struct = (): ThriftStruct => {
    const fields: [number, ThriftValue][] = [];
    let id = 0;
    for (let head = byte(); head !== 0; head = byte()) {
      id = head >> 4 === 0 ? Number(zigzag()) : id + (head >> 4);
      fields.push([id, value(head & 15)]);
    }
    return { type: 12, fields };
  };
  return { value: struct(), end: at };
}

/** Writes one. */
export function writeThrift(root: ThriftStruct): Buffer {
  const written: number[] = [];
  const varint = (value: bigint): void => {
    for (let left = BigInt.asUintN(64, value); ; left >>= 7n) {
      if (left < 128n) return void written.push(Number(left));
      written.push(Number(left & 127n) | 128);
    }
  };
  const zigzag = (value: bigint): void => varint((value << 1n) ^ (value >> 63n));
  const put = (value: ThriftValue): void => {
    if ('fields' in value) {
      let last = 0;
      for (const [id, each] of value.fields) {
        const step = id - last;
        if (step > 0 && step < 16) written.push((step << 4) | each.type);
        else {
          written.push(each.type);
          zigzag(BigInt(id));
        }
        put(each);
        last = id;
      }
      written.push(0);
    } else if ('items' in value) {
      const { length } = value.items;
      written.push((Math.min(length, LONG_LIST) << 4) | value.of);
      if (length >= LONG_LIST) varint(BigInt(length));
      for (const item of value.items) put(item);
    } else if ('bytes' in value) {
      if (value.type === 8) varint(BigInt(value.bytes.length));
      for (const each of value.bytes) written.push(each);
    } else if ('number' in value)
      value.type === 3 ? written.push(Number(value.number & 255n)) : zigzag(value.number);
  };
  put(root);
  return Buffer.from(written);
}
