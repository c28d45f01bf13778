/** The prediction worker as it is, but it dies of one certain picture: to test what happens then. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadServedModel } from '../models/load-model.js';
import { answerRequests, type WorkerSettings } from '../models/worker-protocol.js';

/** A picture whose first value is this kills the worker. */
export const POISON = 0.123;

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
