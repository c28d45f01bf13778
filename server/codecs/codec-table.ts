/** What is read and written, by name: functions of plain data to plain data, for whichever thread. */
import { readInferBody, writeInferAnswer } from './inference-json.js';
import { readPredictMessage, writePredictAnswer } from './predict-message.js';
import { readClassifyBody, readPredictBody, writeClasses, writePredictions } from './tensorflow-json.js';

/** The functions. */
export const CODECS = {
  readPredictBody,
  readClassifyBody,
  writePredictions,
  writeClasses,
  readInferBody,
  writeInferAnswer,
  readPredictMessage,
  writePredictAnswer,
} as const;

export type CodecName = keyof typeof CODECS;
export type Codec<Name extends CodecName> = (typeof CODECS)[Name];

/** Asks the thread. */
export interface CodecRequest {
  readonly name: CodecName;
  readonly argument: object;
}

/** What the thread answers: a value, or what is wrong and with which HTTP status. */
export type CodecReply =
  | { readonly value: object }
  | { readonly status: number | undefined; readonly message: string };

/** The memory below the arrays in some plain data, to be handed over and not copied. */
export function buffersOf(value: unknown): ReadonlySet<ArrayBuffer> {
  if (value instanceof Uint8Array || value instanceof Float32Array)
    return new Set(value.buffer instanceof ArrayBuffer ? [value.buffer] : []);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Set();
  return new Set(Object.values(value).flatMap((each) => [...buffersOf(each)]));
}
