/** What the server and its prediction worker say to each other, and the worker's side of the conversation. */
import type { MessagePort } from 'node:worker_threads';
import { type ExitCode, messageOf, toErrorMessage } from '../../lib/core/errors.js';
import type { PredictSession } from '../../lib/engine/engine.js';
import type { PixelScale } from '../../lib/federation/pixel-scale.js';
import type { EngineChoice } from '../../lib/settings/parts/engine.js';
import type { ModelCard } from './model-card.js';

/** What the worker is started with. */
export interface WorkerSettings {
  readonly modelPath: string;
  /** Content of the model file, where it has been read already: a worker that starts again loads the same model. */
  readonly bytes?: Uint8Array<SharedArrayBuffer>;
  /** A file with the name of each class; by default `labels.txt` beside the model, where there is one. */
  readonly labelsPath?: string;
  /** Which numbers are black and white in the input, where the file is not to be asked. */
  readonly scale?: PixelScale;
  /** `auto` by default. */
  readonly engine?: EngineChoice;
  /** Processor threads of the engine. */
  readonly threads: number;
}

/** Server to worker: predict `count` images, or stop. */
export type WorkerRequest =
  | { readonly kind: 'predict'; readonly id: number; readonly images: Float32Array; readonly count: number }
  | { readonly kind: 'stop' };

/** Worker to server. `refused` means that the model cannot be loaded; the code is that of the error behind it. */
export type WorkerReply =
  | { readonly kind: 'ready'; readonly card: ModelCard; readonly why: string }
  | { readonly kind: 'refused'; readonly message: string; readonly exitCode: ExitCode }
  | { readonly kind: 'answer'; readonly id: number; readonly probabilities: Float32Array }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string };

/** A model ready to answer, and its facts. */
export interface LoadedModel {
  readonly session: PredictSession;
  readonly card: ModelCard;
  /** Why it runs on this engine. */
  readonly why: string;
}

/** Loads the model, says so, and answers requests one after the other until told to stop. */
export async function answerRequests(port: MessagePort, load: () => Promise<LoadedModel>): Promise<void> {
  const reply = (message: WorkerReply) => port.postMessage(message);
  let loaded: LoadedModel;
  try {
    loaded = await load();
  } catch (error) {
    const { message, exitCode } = toErrorMessage(error);
    reply({ kind: 'refused', message, exitCode });
    port.close();
    return;
  }
  const { session, card, why } = loaded;
  let last = Promise.resolve();
  port.on('message', (request: WorkerRequest) => {
    // One at a time: a session is not meant to be run beside itself, and answers leave in the order of asking.
    last = last.then(async () => {
      if (request.kind === 'stop') {
        port.close();
        await session.dispose();
        return;
      }
      const { id, images, count } = request;
      try {
        const [probabilities] = await session.predict([images], count);
        reply({ kind: 'answer', id, probabilities: probabilities as Float32Array });
      } catch (error) {
        reply({ kind: 'failure', id, message: messageOf(error) });
      }
    });
  });
  reply({ kind: 'ready', card, why });
}
