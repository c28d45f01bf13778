/** A process that works for a test, and fails in every way. */
import { answerApart } from '../lib/system/answer-apart.js';

/** What it is asked. */
export type FailingRequest = 'parts' | 'ends' | 'is busy' | 'is silent' | 'grows' | 'errs';

const ROOM_BYTES = 2 ** 24;
const kept: Buffer[] = [];

if (process.send !== undefined) {
  answerApart<FailingRequest, number>(async (request, tell) => {
    switch (request) {
      case 'parts':
        for (const part of [0, 1, 2]) await tell(part);
        return request;
      case 'ends':
        process.kill(process.pid, 'SIGTRAP');
        break;
      case 'is busy':
        await tell(process.pid);
        for (;;);
      case 'grows':
        for (;;) kept.push(Buffer.alloc(ROOM_BYTES, 1));
      case 'errs':
        throw new RangeError('of its own');
      case 'is silent':
    }
    return new Promise(() => undefined);
  });
}
