/** Workers that die, or stop for ever, of certain pictures and models, and are otherwise as they are: to test what happens then. */
import { parentPort, workerData } from 'node:worker_threads';
import { plainAnswer } from '../../lib/http/problems.js';
import { answerApart } from '../../lib/system/answer-apart.js';
import { loadServedModel } from '../models/load-model.js';
import { answerRequests, type WorkerSettings } from '../models/worker-protocol.js';
import type { DecodeRequest } from '../pictures/decode-apart.js';
import { prepareImage, readSides } from '../pictures/decode-image.js';

/** Behind a picture, these end the process, or stop it for ever. */
export const MARKS = { ends: 'ends the decoder', hangs: 'hangs the decoder' } as const;

/** The process ends by the one, and never answers of the other. */
export const [ENDING_MODEL, STOPPING_MODEL] = ['ending.h5', 'stopping.h5'] as const;

// The process that decodes pictures and tries models.
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

/** A picture whose first value is this kills the worker. */
export const POISON = 0.123;

// The thread that predicts.
if (parentPort !== null) {
  await answerRequests(parentPort, async () => {
    const { session, card, why } = await loadServedModel(workerData as WorkerSettings);
    return {
      card,
      why,
      session: {
        ...session,
        predict(inputs, count) {
          if (inputs[0]?.[0] === Math.fround(POISON)) process.exit(134);
          return session.predict(inputs, count);
        },
      },
    };
  });
}
