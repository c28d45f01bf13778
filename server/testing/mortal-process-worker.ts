/** The process that decodes pictures or tries models, but some of them end it, and some stop it for ever: to test what happens then. */
import { plainAnswer } from '../../lib/http/problems.js';
import { answerApart } from '../../lib/system/answer-apart.js';
import type { DecodeRequest } from '../pictures/decode-apart.js';
import { prepareImage, readSides } from '../pictures/decode-image.js';

/** Behind a picture, these end the process, or stop it for ever. */
export const MARKS = { ends: 'ends the decoder', hangs: 'hangs the decoder' } as const;

/** The process ends by the one, and never answers of the other. */
export const [ENDING_MODEL, STOPPING_MODEL] = ['ending.h5', 'stopping.h5'] as const;

if (process.send !== undefined) {
  answerApart((request: DecodeRequest | { readonly modelPath: string }) => {
    if ('modelPath' in request) {
      if (request.modelPath === ENDING_MODEL) process.exit(134);
      return new Promise(() => undefined);
    }
    const { bytes, input } = request;
    const end = Buffer.from(bytes.subarray(-MARKS.hangs.length)).toString('latin1');
    if (end.endsWith(MARKS.ends)) process.exit(134);
    if (end.endsWith(MARKS.hangs)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    return plainAnswer<unknown>(() => (input === undefined ? readSides(bytes) : prepareImage(bytes, input)));
  });
}
