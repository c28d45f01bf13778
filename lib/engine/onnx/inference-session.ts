/** Makes ONNX Runtime sessions: the one place that does, with the options that all of ours share. */
import { isMainThread } from 'node:worker_threads';
import { disableTelemetry, isTelemetryDisabled } from '../native-environment.js';
import type { InferenceSession, OnnxRuntime } from './runtime.js';

/** Settings of a session. */
interface InferenceSessionSettings {
  readonly runtime: OnnxRuntime;
  /** Processor threads on which each operator runs. */
  readonly threads: number;
  /** Refuse a model of which any operator would run on the processor instead of the backend's device. */
  readonly wholeOnDevice?: boolean;
}

/** A session that runs its operators one after another. */
export async function createInferenceSession(
  model: Uint8Array,
  { runtime, threads, wholeOnDevice = false }: InferenceSessionSettings,
): Promise<InferenceSession> {
  // The WebAssembly build has no telemetry.
  if (runtime.backend !== 'wasm') requireTelemetryOff();
  return runtime.InferenceSession.create(model, {
    executionProviders: [runtime.backend],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // A plan of all of a step's memory lies beside what the first step allocated piece by piece: 40 MB more for the CNN,
    // and no faster.
    enableMemPattern: false,
    graphOptimizationLevel: 'all',
    // Warnings are about graph rewrites that users can do nothing about.
    logSeverityLevel: 3,
    extra: { session: sessionEntries(wholeOnDevice) },
  });
}

/** Entries of ONNX Runtime's session configuration (onnxruntime_session_options_config_keys.h). */
function sessionEntries(wholeOnDevice: boolean): Readonly<Record<string, unknown>> {
  return {
    // Threads that wait for work would spin: beside other trainers they take the cores from those that work. With 2
    // threads on 2 cores a step of the CNN took the same time without on an idle machine (43 ms), and with spinning up
    // to 2.9 times as long where others used the cores too.
    intra_op: { allow_spinning: '0' },
    ...(wholeOnDevice ? { disable_cpu_ep_fallback: '1' } : {}),
  };
}

function requireTelemetryOff(): void {
  if (isMainThread) disableTelemetry();
  if (!isTelemetryDisabled()) {
    throw new Error('Call disableTelemetry on the main thread before a worker makes a session.');
  }
}
