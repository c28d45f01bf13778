/** The other side of apart.ts: what is sent between a process and one that works for it, and how that answers. */
import { Worker } from 'node:worker_threads';

/** What is sent to the process. */
export interface ApartRequest<Request> {
  readonly id: number;
  readonly request: Request;
}

/** What it answers. */
export type ApartReply =
  /** It has come up: from here on it is its work that takes time. */
  | { readonly isReady: true }
  | ({ readonly id: number } & (
      | { readonly part: unknown }
      | { readonly value: unknown }
      | { readonly bug: string }
    ));

/** How often a process looks for its parent. */
const LOOK_EVERY_MS = 1000;

/**
 * Answers the requests of the process that started this one, and ends with it. What `answer` throws is told as a bug:
 * what is wrong with a request is a value. `tell` sends a part of an answer on the way to it, and waits until it is on
 * its way itself.
 *
 * @throws {Error} in a process that none of ours has started
 */
export function answerApart<Request, Part = never>(
  answer: (request: Request, tell: (part: Part) => Promise<void>) => unknown,
): void {
  if (process.send === undefined) throw new Error('This module runs as a process of another only.');
  const send = (reply: ApartReply) =>
    new Promise<void>((resolve) => process.send?.(reply, undefined, undefined, () => resolve()));
  process.on('message', async ({ id, request }: ApartRequest<Request>) => {
    try {
      void send({ id, value: await answer(request, (part) => send({ id, part })) });
    } catch (error) {
      void send({ id, bug: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  // A terminal interrupts all processes: those that wait for an answer get it, and this one ends with its parent.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('disconnect', () => process.exit());
  // A thread of its own does so where the work never comes back to its event loop, and the parent was killed.
  new Worker(
    `setInterval(() => process.ppid !== ${process.ppid} && process.kill(process.pid, 'SIGKILL'), ${LOOK_EVERY_MS})`,
    { eval: true },
  ).unref();
  void send({ isReady: true });
}
