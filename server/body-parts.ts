/**
 * Bodies as they come: small ones at once, large ones in turns, so that many who send much at once do not keep the event
 * loop from everybody else; and their parts in one array.
 */
import type { IncomingMessage } from 'node:http';
import { SMALL_BODY_BYTES } from './held-bytes.js';

/** Parts of large bodies, of at most 64 KB, that are read in one round of the event loop: a millisecond or two of its time. */
const PARTS_A_ROUND = 8;

/** Of all requests: the loop whose time they share is one. */
const waiting: IncomingMessage[] = [];

function nextRound(): void {
  for (const request of waiting.splice(0, PARTS_A_ROUND)) request.resume();
  if (waiting.length > 0) setImmediate(nextRound);
}

/** Gives each part of a body to `take`, and reads on once that has ended; beyond a small body, when it is this one's turn. */
export function readInTurns(
  request: IncomingMessage,
  take: (part: Buffer) => Promise<unknown> | undefined,
): void {
  let length = 0;
  const wait = () => {
    if (waiting.push(request) === 1) setImmediate(nextRound);
  };
  request.on('data', (part: Buffer) => {
    length += part.length;
    const isSmall = length <= SMALL_BODY_BYTES;
    const taken = take(part);
    if (taken === undefined && isSmall) return;
    request.pause();
    void (taken ?? Promise.resolve()).then(() => (isSmall ? request.resume() : wait()));
  });
}

/**
 * The bytes of a body, in one array that grows as its parts come: a list of them would cost a hundred bytes for each part
 * of one byte, which a client may send as many of as the body has bytes.
 */
export class BodyParts {
  #target: Buffer = Buffer.alloc(0);
  #length = 0;
  readonly #expected: number;

  /** @param expected how many bytes will come, as far as that is known: a promise that nobody need keep */
  constructor(expected = 0) {
    this.#expected = expected;
  }

  get length(): number {
    return this.#length;
  }

  add(part: Uint8Array): void {
    const end = this.#length + part.length;
    if (this.#length === 0) this.#target = Buffer.from(part.buffer, part.byteOffset, part.length);
    else {
      if (end > this.#target.length) {
        // Of what is promised and does not come, the system gives no memory.
        const wanted = this.#expected < end ? 2 * end : this.#expected;
        const grown = Buffer.allocUnsafeSlow(Math.max(SMALL_BODY_BYTES, wanted));
        this.#target.copy(grown, 0, 0, this.#length);
        this.#target = grown;
      }
      this.#target.set(part, this.#length);
    }
    this.#length = end;
  }

  /** All of them in one piece. */
  bytes(): Buffer {
    return this.#target.subarray(0, this.#length);
  }
}
