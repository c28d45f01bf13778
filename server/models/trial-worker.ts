/** The process in which a model is loaded before a server takes it. */
import { toErrorMessage } from '../../lib/core/errors.js';
import { prepareEngines } from '../../lib/engine/native-environment.js';
import { answerApart } from '../../lib/system/answer-apart.js';
import { loadServedModel } from './load-model.js';
import type { TrialReply, TrialRequest } from './try-model.js';

async function readInput(): Promise<Uint8Array<SharedArrayBuffer>> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const bytes = new Uint8Array(new SharedArrayBuffer(chunks.reduce((sum, { length }) => sum + length, 0)));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

answerApart(async (request: TrialRequest): Promise<TrialReply> => {
  try {
    prepareEngines(request);
    await loadServedModel({ ...request, bytes: await readInput() });
    return { kind: 'loaded' };
  } catch (error) {
    const { message, exitCode } = toErrorMessage(error);
    return { kind: 'refused', message, exitCode };
  }
});
