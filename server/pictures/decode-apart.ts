/**
 * Makes a model's inputs of pictures in processes of their own: the libraries that decode are native, and a picture that
 * ends or stops them ends its own request alone. The process is replaced, and who was read beside that picture is read
 * again. Large pictures have a process that gives way to all others: they take tens of milliseconds to seconds each.
 */
import type { PrepareOptions } from '../../lib/digits/preprocess.js';
import { HttpProblem, type PlainAnswer, valueIn } from '../../lib/http/problems.js';
import { ApartEnded, createApart } from '../../lib/system/apart.js';
import { createSlots } from '../../lib/system/slots.js';
import { type PreparedImage, requireBounded, type Sides, sidesInHeader } from './decode-image.js';

/** Asks the process. */
export interface DecodeRequest {
  readonly bytes: Uint8Array;
  /** The model's input that it is to become; without, its sides are asked for. */
  readonly input?: PrepareOptions;
}

/** Reads pictures elsewhere. */
export interface PictureDecoder {
  /** As `readSides` of decode-image.ts. @throws {HttpProblem} as that does */
  readSides(bytes: Uint8Array): Promise<Sides>;
  /** As `prepareImage`, of some pictures at a time. @throws {HttpProblem} as that does */
  prepareImage(bytes: Uint8Array, options: PrepareOptions): Promise<PreparedImage>;
  /** Starts the process of small pictures, so that the first need not wait for that. */
  start(): void;
}

interface DecoderOptions {
  /** The process's module; the one that decodes by default. */
  readonly workerUrl?: URL;
  /** How long a picture may take, from when it is its turn and the process is there. */
  readonly deadlineMs?: number;
}

/** Above, a picture is large: it takes tens of milliseconds, most of it to find what is written there. */
export const LARGE_PIXELS = 65_536;
/** Above, it takes one thread for up to a second: a phone's photos, and what was made to be slow. */
const HUGE_PIXELS = 4_000_000;
/** The decoder itself gives up after half of it; this is for one that does not come to that. */
const DEADLINE_MS = 60_000;
/** Of the processor: three at a time take a second each. */
const MOST_CPU_MS = 10_000;

/** Makes a decoder. Its processes start with the first picture of their kind, and keep no other process alive. */
export function createDecoder({
  workerUrl: module = new URL('./decode-worker.js', import.meta.url),
  deadlineMs = DEADLINE_MS,
}: DecoderOptions = {}): PictureDecoder {
  const start = (givesWay: boolean) =>
    createApart<DecodeRequest, PlainAnswer<Sides | PreparedImage>>({
      ...{ module, deadlineMs, givesWay },
      mostCpuMs: MOST_CPU_MS,
    });
  const apart = { small: start(false), large: start(true) };
  // A process has four threads for pictures: huge ones leave some to others.
  const turns = { small: createSlots(2), large: createSlots(2), huge: createSlots(1) };
  const known = new WeakMap<Uint8Array, Promise<Sides>>();

  async function ask<Value>(kind: keyof typeof apart, request: DecodeRequest): Promise<Value> {
    const reply = await apart[kind].ask(request).catch((error: unknown) => {
      throw error instanceof ApartEnded ? refusal(error) : error;
    });
    return valueIn(reply) as Value;
  }

  async function sidesOf(bytes: Uint8Array): Promise<Sides> {
    return requireBounded(sidesInHeader(bytes) ?? (await ask<Sides>('small', { bytes })));
  }

  /** Once for each picture, however often it is asked. */
  function readSides(bytes: Uint8Array): Promise<Sides> {
    const sides = known.get(bytes) ?? sidesOf(bytes);
    known.set(bytes, sides);
    return sides;
  }

  return {
    readSides,
    async prepareImage(bytes, input) {
      const { width, height } = await readSides(bytes);
      const pixels = width * height;
      const kind = pixels > LARGE_PIXELS ? 'large' : 'small';
      const slots = turns[pixels > HUGE_PIXELS ? 'huge' : kind];
      return slots.use(() => ask<PreparedImage>(kind, { bytes, input }), { cost: pixels });
    },
    start: apart.small.start,
  };
}

/** The decoder of this process's servers. */
export const pictureDecoder: PictureDecoder = createDecoder();

/** The picture's fault, unless the process never came up. */
function refusal(cause: ApartEnded): Error {
  if (!cause.wasReady) return new Error('The process that decodes pictures did not start.', { cause });
  const what =
    cause.why === 'late'
      ? 'takes too long to read'
      : 'is damaged in a way that ends its decoder, and cannot be read';
  return new HttpProblem(422, `The image ${what}.`, { cause });
}
