/** The process in which a model is loaded before a server takes it. */
import { toErrorMessage } from '../../lib/core/errors.js';
import { prepareEngines } from '../../lib/engine/native-environment.js';
import { loadServedModel } from './load-model.js';
import type { TrialReply, TrialRequest } from './try-model.js';

if (process.send === undefined) throw new Error('This module runs as a process of a server only.');
const reply = (message: TrialReply): void => void process.send?.(message);

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

process.on('message', async (request: TrialRequest) => {
  try {
    prepareEngines(request);
    await loadServedModel({ ...request, bytes: await readInput() });
    reply({ kind: 'loaded' });
  } catch (error) {
    const { message, exitCode } = toErrorMessage(error);
    reply({ kind: 'refused', message, exitCode });
  }
});
process.on('disconnect', () => process.exit());
