/** The process in which uploaded pictures are decoded. */
import { HttpProblem } from '../../lib/http/problems.js';
import type { DecodeReply, DecodeRequest } from './decode-apart.js';
import { decodeImage, readSides } from './decode-image.js';

if (process.send === undefined) throw new Error('This module runs as a process of a server only.');
const reply = (message: DecodeReply): void => void process.send?.(message);

process.on('message', async ({ id, wanted, bytes }: DecodeRequest) => {
  try {
    reply({ id, value: await (wanted === 'sides' ? readSides : decodeImage)(bytes) });
  } catch (error) {
    if (error instanceof HttpProblem) reply({ id, status: error.status, message: error.message });
    else reply({ id, bug: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
// A terminal interrupts all processes: those that wait for a picture get it, and this one ends with its server.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());
reply({ isReady: true });
