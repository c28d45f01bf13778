/** The thread in which large bodies are read and large answers written. */
import { parentPort } from 'node:worker_threads';
import { HttpProblem } from '../../lib/http/problems.js';
import { giveWay } from '../../lib/system/processes.js';
import { buffersOf, CODECS, type CodecReply, type CodecRequest } from './codecs.js';

if (parentPort === null) throw new Error('This module runs as a worker thread only.');
giveWay();
const port = parentPort;
port.on('message', async ({ name, argument }: CodecRequest) => {
  try {
    const value = await (CODECS[name] as (given: object) => object | Promise<object>)(argument);
    port.postMessage({ value } satisfies CodecReply, [...buffersOf(value)]);
  } catch (error) {
    const status = error instanceof HttpProblem ? error.status : undefined;
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const said = error instanceof HttpProblem ? error.message : message;
    port.postMessage({ status, message: said } satisfies CodecReply);
  }
});
