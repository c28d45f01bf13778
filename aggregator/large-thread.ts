/** The thread that shares the work on large models, one task at a time. */
import { Worker } from 'node:worker_threads';
import type { StrategyContext } from '../lib/federation/strategies/strategy-named.js';
import type { StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import type { Measured, MeterPlan } from '../lib/federation/update-measures.js';
import type { ArrayPiece, NumbersFile, PieceMeans } from './large-numbers.js';

/** What the thread is started with. */
export interface LargeSetup extends Pick<PieceMeans, 'global' | 'frozen'> {
  readonly settings: StrategySettings;
  readonly facts: StrategyContext;
}

/** What it is asked for; `of` comes with the first piece. */
export type LargeTask =
  | { readonly kind: 'examine'; readonly update: NumbersFile; readonly measure: MeterPlan | undefined }
  | {
      readonly kind: 'average';
      readonly piece: ArrayPiece;
      readonly of?: Pick<PieceMeans, 'updates' | 'round'> | undefined;
    };

/** What it answers; `failed` where whoever asked has to do it, and hears why it fails. */
export type LargeAnswer =
  | { readonly kind: 'failed' }
  | { readonly kind: 'averaged'; readonly values: Float32Array }
  | {
      readonly kind: 'examined';
      readonly unusable: string | null;
      readonly measured: Measured | undefined;
    };

/** A thread that has started, or begins to. */
export interface LargeThread {
  /** What it answers; undefined at once where it is busy. */
  ask(task: LargeTask): Promise<LargeAnswer> | undefined;
  close(): Promise<void>;
}

/** Starts the thread. It keeps no program alive. */
export function startLargeThread(setup: LargeSetup): LargeThread {
  const worker = new Worker(new URL('./large-worker.js', import.meta.url), { workerData: setup });
  let hear: ((answer: LargeAnswer) => void) | undefined;
  let isOver = false;
  const answer = (given: LargeAnswer) => {
    const told = hear;
    hear = undefined;
    worker.unref();
    told?.(given);
  };
  const end = () => {
    isOver = true;
    answer({ kind: 'failed' });
  };
  worker.on('message', answer).on('error', end).on('exit', end).unref();
  return {
    ask(task) {
      if (isOver || hear !== undefined) return undefined;
      return new Promise((resolve) => {
        hear = resolve;
        worker.ref();
        worker.postMessage(task);
      });
    },
    close: async () => void (await worker.terminate()),
  };
}
