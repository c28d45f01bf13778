/** What native engines read from the environment: set on the main thread, before any thread loads one. */
import { isMainThread } from 'node:worker_threads';

/** How the native library is to behave. */
interface NativeEnvironment {
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

/** Read once by the native library, when the first session of the process is made. */
const OPT_OUT = 'ORT_DISABLE_TELEMETRY';

/**
 * Switches off the telemetry of ONNX Runtime for this process and its children; call it on the main thread before
 * any session is made, in whichever thread. Otherwise the library writes an identifier of the device and a cache of
 * events into the home directory, debug files into the temporary one, and sends facts about models to its maker.
 *
 * @throws {Error} in a worker thread, whose `process.env` is a copy that native code does not see
 */
export function disableTelemetry(): void {
  if (!isMainThread) throw new Error('Telemetry must be switched off on the main thread.');
  process.env[OPT_OUT] = '1';
}

/** Whether this thread was started with telemetry off (a worker inherits what its main thread had set). */
export function isTelemetryDisabled(): boolean {
  return process.env[OPT_OUT] === '1';
}

/**
 * Call this on the main thread before an engine is chosen, in whichever thread. Loads nothing.
 *
 * @throws {Error} in a worker thread, whose environment native code does not see
 */
export function prepareEngines({ threads }: { readonly threads: number }): void {
  disableTelemetry();
  prepareNativeEnvironment({ threads });
}
