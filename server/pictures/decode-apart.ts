/**
 * Decodes pictures in a process of its own: the libraries behind it are native, and a picture that ends or stops them ends
 * its own request alone. The process is replaced, and who was read beside that picture is read again.
 */
import { HttpProblem, type PlainAnswer, valueIn } from '../../lib/http/problems.js';
import { ApartEnded, createApart } from '../../lib/system/apart.js';
import { createSlots } from '../../lib/system/slots.js';
import { type GivenImage, requireBounded, type Sides, sidesInHeader } from './decode-image.js';

/** Asks the process. */
export interface DecodeRequest {
  readonly wanted: 'sides' | 'picture';
  readonly bytes: Uint8Array;
}

/** Reads pictures elsewhere. */
export interface PictureDecoder {
  /** As `readSides` of decode-image.ts. @throws {HttpProblem} as that does */
  readSides(bytes: Uint8Array): Promise<Sides>;
  /** As `decodeImage`, of some pictures at a time. @throws {HttpProblem} as that does */
  decodeImage(bytes: Uint8Array): Promise<GivenImage>;
  /** Starts the process, so that the first picture need not wait for that. */
  start(): void;
}

interface DecoderOptions {
  /** The process's module; the one that decodes by default. */
  readonly workerUrl?: URL;
  /** How long a picture may take, from when it is its turn and the process is there. */
  readonly deadlineMs?: number;
}

/** Above, a picture takes one thread for up to a second: a phone's photos, and what was made to be slow. */
const LARGE_PIXELS = 4_000_000;
/** The decoder itself gives up after some seconds; this is for one that does not come to that. */
const DEADLINE_MS = 15_000;

/** Makes a decoder. Its process starts with the first picture, and keeps no other process alive. */
export function createDecoder({
  workerUrl = new URL('./decode-worker.js', import.meta.url),
  deadlineMs = DEADLINE_MS,
}: DecoderOptions = {}): PictureDecoder {
  const apart = createApart<DecodeRequest, PlainAnswer<Sides | GivenImage>>({
    module: workerUrl,
    deadlineMs,
  });
  // The process has four threads for pictures: small ones never wait for large ones.
  const turns = { small: createSlots(2), large: createSlots(1) };

  async function ask<Value>(wanted: DecodeRequest['wanted'], bytes: Uint8Array): Promise<Value> {
    const reply = await apart.ask({ wanted, bytes }).catch((error: unknown) => {
      throw error instanceof ApartEnded ? refusal(error, deadlineMs) : error;
    });
    return valueIn(reply) as Value;
  }

  async function readSides(bytes: Uint8Array): Promise<Sides> {
    return requireBounded(sidesInHeader(bytes) ?? (await ask<Sides>('sides', bytes)));
  }

  return {
    readSides,
    async decodeImage(bytes) {
      const { width, height } = await readSides(bytes);
      const pixels = width * height;
      const slots = turns[pixels > LARGE_PIXELS ? 'large' : 'small'];
      return slots.use(() => ask<GivenImage>('picture', bytes), { cost: pixels });
    },
    start: apart.start,
  };
}

/** The decoder of this process's servers. */
export const pictureDecoder: PictureDecoder = createDecoder();

/** The picture's fault, unless the process never came up. */
function refusal(cause: ApartEnded, deadlineMs: number): Error {
  if (!cause.wasReady) return new Error('The process that decodes pictures did not start.', { cause });
  const what =
    cause.why === 'late'
      ? `takes more than ${deadlineMs / 1000} s to read`
      : 'is damaged in a way that ends its decoder, and cannot be read';
  return new HttpProblem(422, `The image ${what}.`, { cause });
}
