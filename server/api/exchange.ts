/** The bodies of API requests, read without a framework and within bounds. */
import type { IncomingMessage } from 'node:http';
import { HttpProblem } from '../../lib/http/problems.js';
import { BodyParts, readInTurns } from '../body-parts.js';
import { type BodyPlace, type Room, SMALL_BODY_BYTES } from '../held-bytes.js';

/** Bounds on the bodies of API requests. */
export interface BodyLimits {
  /** Largest body. */
  readonly maxBodyBytes: number;
  /** What all bodies that are being read together may take in memory. */
  readonly maxHeldBytes: number;
}

export const DEFAULT_BODY_LIMITS: BodyLimits = { maxBodyBytes: 16_000_000, maxHeldBytes: 320_000_000 };

/** Reads whole bodies within limits that hold for all of them together. */
export interface BodyReader {
  /**
   * Reads the body of a request and lets `use` work with it, which counts as held until that has ended.
   *
   * @throws {HttpProblem} 413 where the body is too large, 415 where it is compressed, 408 where it comes too slowly while
   *   others wait, 503 where too much is held
   */
  use(request: IncomingMessage, use: (body: Uint8Array) => Promise<void>): Promise<void>;
}

interface ReaderOptions {
  readonly maxBodyBytes: number;
  readonly room: Room;
  /** Whose request it is. */
  readonly addressOf: (request: IncomingMessage) => string;
}

/** Makes a reader. */
export function createBodyReader({ maxBodyBytes, room, addressOf }: ReaderOptions): BodyReader {
  return {
    async use(request, use) {
      const { 'content-encoding': encoding = 'identity', 'content-length': declared = '0' } = request.headers;
      if (encoding !== 'identity')
        throw new HttpProblem(415, `Send the body as it is: Content-Encoding ${encoding} is not taken.`);
      const declaredBytes = Number(declared);
      if (declaredBytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
      const place = await takePlace(request, { room, declaredBytes, address: addressOf(request) });
      try {
        await use(await collect(request, place, { maxBodyBytes, declaredBytes }));
      } finally {
        place.release();
      }
    },
  };
}

interface PlaceOptions {
  readonly room: Room;
  readonly declaredBytes: number;
  readonly address: string;
}

/** Waits until there is room for a body. @throws {HttpProblem} 503 where that takes too long */
export async function takePlace(
  request: IncomingMessage,
  { room, declaredBytes, address }: PlaceOptions,
): Promise<BodyPlace> {
  if (!(declaredBytes > SMALL_BODY_BYTES)) return room.open({ address });
  const gone = new AbortController();
  const leave = () => gone.abort();
  request.once('close', leave);
  const place = await room.enter({ address, bytes: declaredBytes, signal: gone.signal });
  request.off('close', leave);
  if (place === undefined) throw tooMuch();
  return place;
}

function collect(
  request: IncomingMessage,
  place: BodyPlace,
  { maxBodyBytes, declaredBytes }: { readonly maxBodyBytes: number; readonly declaredBytes: number },
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // What comes after a refusal is let go by: the answer is on its way.
    let isSettled = false;
    let parts = new BodyParts(declaredBytes);
    const refuse = (problem: HttpProblem) => {
      if (isSettled) return;
      isSettled = true;
      parts = new BodyParts();
      reject(problem);
    };
    place.onStalled = () => refuse(tooSlow());
    readInTurns(request, (part) => {
      if (isSettled) return;
      if (parts.length + part.length > maxBodyBytes) refuse(tooLarge(maxBodyBytes));
      else if (place.add(part.length)) parts.add(part);
      else refuse(tooMuch());
    });
    request.once('end', () => {
      if (isSettled) return;
      isSettled = true;
      resolve(parts.bytes());
    });
    request.once('close', () => {
      // An error takes its stack along: none is made for the many that have ended well.
      if (!isSettled) refuse(new HttpProblem(400, 'The body ended too soon.'));
    });
  });
}

function tooLarge(maxBodyBytes: number): HttpProblem {
  return new HttpProblem(413, `The body is too large: at most ${maxBodyBytes / 1e6} MB are accepted.`);
}

/** Of a body that comes byte by byte while others wait for its room. */
export function tooSlow(): HttpProblem {
  return new HttpProblem(408, 'The body comes too slowly while others wait; try again later.');
}

/** Of a body for which there is no room. */
export function tooMuch(): HttpProblem {
  return new HttpProblem(503, 'Too many requests at the moment; try again in a second.', {
    headers: { 'Retry-After': '1' },
  });
}
