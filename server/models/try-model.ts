/** A model that is to replace one that answers is loaded in a process of its own first: what native code does there ends no server. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ExitCode } from '../../lib/core/errors.js';
import { ModelRefusedError } from './worker-predictor.js';
import type { WorkerSettings } from './worker-protocol.js';

/** What is tried; its bytes come by the process's input. */
export type TrialRequest = Omit<WorkerSettings, 'bytes'>;

/** What the process answers: that the model answers, or why it is refused. */
export type TrialReply =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'refused'; readonly message: string; readonly exitCode: ExitCode };

interface TrialOptions {
  /** The process's module; the one that loads Keras models by default. */
  readonly workerUrl?: URL;
  readonly deadlineMs?: number;
}

/** Large models on a busy machine take tens of seconds. */
const DEADLINE_MS = 120_000;

/**
 * Loads a model elsewhere, and forgets it.
 *
 * @throws {ModelRefusedError} when it cannot be served, ends the process, or takes too long
 */
export async function tryModel(
  { bytes = new Uint8Array(new SharedArrayBuffer(0)), ...request }: WorkerSettings,
  { workerUrl = new URL('./trial-worker.js', import.meta.url), deadlineMs = DEADLINE_MS }: TrialOptions = {},
): Promise<void> {
  const refuse = (found: string) =>
    new ModelRefusedError(
      `${request.modelPath}: expected a model that can be loaded, found ${found}`,
      ExitCode.data,
    );
  const child = fork(fileURLToPath(workerUrl), {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['pipe', 'ignore', 'inherit', 'ipc'],
  });
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, deadlineMs);
  try {
    const reply = await new Promise<TrialReply>((resolve, reject) => {
      child.once('message', resolve).once('error', reject);
      child.once('exit', (code, signal) => {
        const how = signal ?? `exit code ${code}`;
        reject(
          refuse(
            isLate ? `one that takes more than ${deadlineMs / 1000} s` : `one that ends its process (${how})`,
          ),
        );
      });
      child.send(request satisfies TrialRequest);
      // A process that has ended takes no more: its end tells.
      child.stdin?.on('error', () => undefined).end(bytes);
    });
    if (reply.kind === 'refused') throw new ModelRefusedError(reply.message, reply.exitCode);
  } finally {
    clearTimeout(deadline);
    child.kill('SIGKILL');
  }
}
