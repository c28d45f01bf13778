/** Environment variables that the native TensorFlow reads when it is loaded. */
import { isMainThread } from 'node:worker_threads';

/** How the native library is to behave. */
export interface NativeEnvironment {
  /** Threads inside one operation; TensorFlow takes every core otherwise. */
  readonly threads?: number;
}

/**
 * Keeps TensorFlow's log to errors, its operations to repeatable ones, and leaves the rest of a card's memory to the
 * trainers beside this one: it would take all of it. The library sees the environment of the main
 * thread only: a program that loads the engine in a worker thread calls this on the main thread before. What the user
 * has set is left alone.
 */
export function prepareNativeEnvironment({ threads }: NativeEnvironment = {}): void {
  if (!isMainThread) return;
  const defaults = {
    TF_CPP_MIN_LOG_LEVEL: '2',
    TF_DETERMINISTIC_OPS: '1',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    ...(threads === undefined
      ? {}
      : { TF_NUM_INTRAOP_THREADS: String(threads), TF_NUM_INTEROP_THREADS: '1' }),
  };
  for (const [name, value] of Object.entries(defaults)) process.env[name] ??= value;
}
