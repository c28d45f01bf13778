/** Makes ONNX Runtime sessions: the one place that does, with the options that all of ours share. */
import { isMainThread } from 'node:worker_threads';
import type { InferenceSession, OnnxRuntime } from './runtime.js';
import { disableTelemetry, isTelemetryDisabled } from './telemetry.js';

/** Settings of a session. */
export interface InferenceSessionSettings {
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
    graphOptimizationLevel: 'all',
    // Warnings are about graph rewrites that users can do nothing about.
    logSeverityLevel: 3,
    extra: wholeOnDevice ? { session: { disable_cpu_ep_fallback: '1' } } : {},
  });
}

function requireTelemetryOff(): void {
  if (isMainThread) disableTelemetry();
  if (!isTelemetryDisabled()) {
    throw new Error('Call disableTelemetry on the main thread before a worker makes a session.');
  }
}
