/** Encodes the messages of an event file: the part of TensorFlow's event.proto and summary.proto that is written here. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A picture as PNG. */
export interface PngPicture {
  readonly width: number;
  readonly height: number;
  readonly png: Uint8Array;
}

/** What is shown under a tag, at one step. */
export type SummaryValue = { readonly tag: string } & (
  | { readonly scalar: number }
  | { readonly histogram: ValueHistogram }
  | { readonly picture: PngPicture }
  /** Data of the hparams plugin, encoded. */
  | { readonly hparams: Uint8Array }
);

/** All that an event file is told of one step. */
export interface StepEvent {
  readonly step: number;
  /** When it happened, in seconds since 1970. */
  readonly wallTime: number;
  readonly values: readonly SummaryValue[];
}

/** The message that every event file begins with. */
export function encodeVersion(wallTime: number): Uint8Array {
  const event = new BinaryWriter();
  event.tag(1, WireType.Bit64).double(wallTime);
  event.tag(3, WireType.LengthDelimited).string('brain.Event:2');
  return event.finish();
}

/** The message of a step. */
export function encodeEvent({ step, wallTime, values }: StepEvent): Uint8Array {
  const event = new BinaryWriter();
  event.tag(1, WireType.Bit64).double(wallTime);
  event.tag(2, WireType.Varint).int64(step);
  inner(event, 5, (summary) => {
    for (const value of values) inner(summary, 1, (writer) => writeValue(writer, value));
  });
  return event.finish();
}

/** Step and tags of a message that was written before; the first one has none. */
export function readEvent(message: Uint8Array): { readonly step: number; readonly tags: readonly string[] } {
  const reader = new BinaryReader(message);
  const tags: string[] = [];
  let step = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 2) step = Number(reader.int64());
    else if (field === 5) for (const value of fieldsOf(reader.bytes(), 1)) tags.push(...textsOf(value, 1));
    else reader.skip(wireType, field);
  }
  return { step, tags };
}

/** The contents of a field of a message, each time that it is there. */
function fieldsOf(message: Uint8Array, wanted: number): readonly Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted && wireType === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(wireType, field);
  }
  return found;
}

const textsOf = (message: Uint8Array, field: number) =>
  fieldsOf(message, field).map((bytes) => new TextDecoder().decode(bytes));

function writeValue(writer: BinaryWriter, value: SummaryValue): void {
  writer.tag(1, WireType.LengthDelimited).string(value.tag);
  // What float32 cannot hold is infinite in it; the writer would refuse it.
  if ('scalar' in value) writer.tag(2, WireType.Bit32).float(Math.fround(value.scalar));
  else if ('picture' in value) inner(writer, 4, (image) => writePicture(image, value.picture));
  else if ('histogram' in value) inner(writer, 5, (message) => writeHistogram(message, value.histogram));
  else {
    inner(writer, 8, writeNothing);
    inner(writer, 9, (metadata) => {
      inner(metadata, 1, (plugin) => {
        plugin.tag(1, WireType.LengthDelimited).string('hparams');
        plugin.tag(2, WireType.LengthDelimited).bytes(value.hparams);
      });
      metadata.tag(4, WireType.Varint).int32(TENSOR_CLASS);
    });
  }
}

/** Red, green and blue. */
const COLOURS = 3;

function writePicture(writer: BinaryWriter, { width, height, png }: PngPicture): void {
  writer.tag(1, WireType.Varint).int32(height);
  writer.tag(2, WireType.Varint).int32(width);
  writer.tag(3, WireType.Varint).int32(COLOURS);
  writer.tag(4, WireType.LengthDelimited).bytes(png);
}

function writeHistogram(writer: BinaryWriter, histogram: ValueHistogram): void {
  const { min, max, count, sum, sumOfSquares, limits, counts } = histogram;
  for (const [at, number] of [min, max, count, sum, sumOfSquares].entries())
    writer.tag(at + 1, WireType.Bit64).double(number);
  for (const [field, numbers] of [
    [6, limits],
    [7, counts],
  ] as const) {
    writer.tag(field, WireType.LengthDelimited).fork();
    for (const number of numbers) writer.double(number);
    writer.join();
  }
}

/** DATA_CLASS_TENSOR of summary.proto. */
const TENSOR_CLASS = 2;

/** The tensor that the hparams plugin has where there is no number to show: one float, 0. */
function writeNothing(tensor: BinaryWriter): void {
  tensor.tag(1, WireType.Varint).int32(1);
  inner(tensor, 2, (shape) => inner(shape, 2, (dimension) => dimension.tag(1, WireType.Varint).int64(1)));
  tensor.tag(5, WireType.LengthDelimited).fork().float(0).join();
}

/** A message inside another one. */
export function inner(writer: BinaryWriter, field: number, write: (inside: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

/** HistogramProto: the first bucket begins at `min`, each ends at its limit, the last one at `max`. */
export interface ValueHistogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/** As many as TensorFlow's own summaries have. */
const BUCKETS = 30;

/** Counts the finite numbers in buckets of one width; undefined where there is none. */
export function histogramOf(values: Float32Array): ValueHistogram | undefined {
  let [min, max, count, sum, sumOfSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count++;
    sum += value;
    sumOfSquares += value * value;
  }
  if (count === 0) return undefined;
  const width = (max - min) / BUCKETS;
  const figures = { min, max, count, sum, sumOfSquares };
  if (width === 0) return { ...figures, limits: [max], counts: [count] };
  const counts = new Array<number>(BUCKETS).fill(0);
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const bucket = Math.min(BUCKETS - 1, Math.floor((value - min) / width));
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  const limits = counts.map((_, bucket) => (bucket === BUCKETS - 1 ? max : min + width * (bucket + 1)));
  return { ...figures, limits, counts };
}
