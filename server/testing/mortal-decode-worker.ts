/** The process that decodes pictures as it is, but some end it, and some stop it for ever: to test what happens then. */
import type { DecodeReply, DecodeRequest } from '../pictures/decode-apart.js';

/** Behind a picture, these end the process, or stop it for ever. */
export const MARKS = { ends: 'ends the decoder', hangs: 'hangs the decoder' } as const;

if (process.send !== undefined) {
  // First of all: a picture may be there already.
  process.send({ isReady: true } satisfies DecodeReply);
  const early: DecodeRequest[] = [];
  let isUp = false;
  process.on('message', (request: DecodeRequest) => {
    const end = Buffer.from(request.bytes.subarray(-MARKS.hangs.length)).toString('latin1');
    if (end.endsWith(MARKS.ends)) process.exit(134);
    if (end.endsWith(MARKS.hangs)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    if (!isUp) early.push(request);
  });
  await import('../pictures/decode-worker.js');
  isUp = true;
  for (const request of early) process.emit('message', request, undefined);
}
