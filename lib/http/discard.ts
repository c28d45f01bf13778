/** What still comes of a request whose answer is there: a refused body. */
import type { IncomingMessage } from 'node:http';

/** So much is read at once: the rest of a small body belongs to a connection that goes on. */
const FREE_BYTES = 65_536;
/** Of all that is beyond, a part of about 64 KB every so often: 13 MB a second, and a few hundredths of a core. */
const PART_EVERY_MS = 5;

/** Of all servers: the loop whose time they share is one. */
const waiting: IncomingMessage[] = [];
let timer: NodeJS.Timeout | undefined;

function readNext(): void {
  waiting.shift()?.resume();
  if (waiting.length > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/**
 * Lets the rest of a body go by, slowly: a client that sends it in one piece before it reads its answer (RFC 9112, 9.6)
 * comes to its end, and many who send much are not served by it. Whoever was reading the body hears no more of it.
 */
export function discard(request: IncomingMessage): void {
  request.removeAllListeners('data').removeAllListeners('readable');
  // Node reads at once what nobody has begun to read.
  request.read(0);
  let length = 0;
  request.on('data', ({ length: more }: Buffer) => {
    length += more;
    if (length <= FREE_BYTES) return;
    request.pause();
    waiting.push(request);
    timer ??= setInterval(readNext, PART_EVERY_MS).unref();
  });
  request.resume();
}
