/** What native engines read from the environment: set on the main thread, before any thread loads one. */
import { disableTelemetry } from './onnx/telemetry.js';
import { prepareNativeEnvironment } from './native-environment.js';

/**
 * Call this on the main thread before an engine is chosen, in whichever thread. Loads nothing.
 *
 * @throws {Error} in a worker thread, whose environment native code does not see
 */
export function prepareEngines({ threads }: { readonly threads: number }): void {
  disableTelemetry();
  prepareNativeEnvironment({ threads });
}
