/** Keeps ONNX Runtime from reporting about its users: its builds since 1.29 do so unless they are told not to. */
import { isMainThread } from 'node:worker_threads';

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
