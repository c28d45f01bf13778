/** A model that is to replace one that answers is loaded in a process of its own first: what native code does there ends no server. */
import { ExitCode } from '../../lib/core/errors.js';
import { ApartEnded, createApart } from '../../lib/system/apart.js';
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
  const trial = createApart<TrialRequest, TrialReply>({
    module: workerUrl,
    deadlineMs,
    input: bytes,
    givesWay: true,
  });
  try {
    const reply = await trial.ask(request);
    if (reply.kind === 'refused') throw new ModelRefusedError(reply.message, reply.exitCode);
  } catch (error) {
    if (!(error instanceof ApartEnded)) throw error;
    const found =
      error.why === 'late' ? `takes more than ${deadlineMs / 1000} s` : `ends its process (${error.message})`;
    throw new ModelRefusedError(
      `${request.modelPath}: expected a model that can be loaded, found one that ${found}`,
      ExitCode.data,
    );
  } finally {
    trial.end();
  }
}
