/** The bodies of API requests, read without a framework and within bounds. */
import type { IncomingMessage } from 'node:http';
import { HttpProblem } from '../../lib/http/problems.js';
import { readInTurns } from '../body-turns.js';
import { createRoom, type HeldBytes } from '../held-bytes.js';

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
   * @throws {HttpProblem} 413 where the body is too large, 415 where it is compressed, 503 where too much is held
   */
  use(request: IncomingMessage, use: (body: Uint8Array) => Promise<void>): Promise<void>;
}

/** Makes a reader. */
export function createBodyReader({ maxBodyBytes, maxHeldBytes }: BodyLimits): BodyReader {
  const room = createRoom(maxHeldBytes);
  return {
    async use(request, use) {
      const { 'content-encoding': encoding = 'identity', 'content-length': declared = '0' } = request.headers;
      if (encoding !== 'identity')
        throw new HttpProblem(415, `Send the body as it is: Content-Encoding ${encoding} is not taken.`);
      if (Number(declared) > maxBodyBytes) throw tooLarge(maxBodyBytes);
      const held = room.hold();
      try {
        await use(await collect(request, held, maxBodyBytes));
      } finally {
        held.release();
      }
    },
  };
}

function collect(request: IncomingMessage, held: HeldBytes, maxBodyBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // What comes after a refusal is let go by: the answer is on its way.
    let isSettled = false;
    const refuse = (problem: HttpProblem) => {
      if (isSettled) return;
      isSettled = true;
      held.release();
      reject(problem);
    };
    readInTurns(request, (part) => {
      if (isSettled) return;
      if (held.length + part.length > maxBodyBytes) refuse(tooLarge(maxBodyBytes));
      else if (!held.add(part)) refuse(tooMuch());
    });
    request.once('end', () => {
      if (isSettled) return;
      isSettled = true;
      resolve(held.bytes());
    });
    request.once('close', () => refuse(new HttpProblem(400, 'The body ended too soon.')));
  });
}

function tooLarge(maxBodyBytes: number): HttpProblem {
  return new HttpProblem(413, `The body is too large: at most ${maxBodyBytes / 1e6} MB are accepted.`);
}

function tooMuch(): HttpProblem {
  return new HttpProblem(503, 'Too many requests at the moment; try again in a second.', {
    headers: { 'Retry-After': '1' },
  });
}
