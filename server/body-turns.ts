/** Bodies as they come: small ones at once, large ones in turns, so that many who send much at once do not keep the event loop from everybody else. */
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
