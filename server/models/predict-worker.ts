/** The worker thread that holds the model: the engine's predictions block, here they hold up nobody. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadServedModel } from './load-model.js';
import { answerRequests, type WorkerSettings } from './worker-protocol.js';

if (parentPort === null) throw new Error('This module runs as a worker thread only.');
await answerRequests(parentPort, () => loadServedModel(workerData as WorkerSettings));
