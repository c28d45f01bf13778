/** Makes ONNX Runtime sessions: the one place that does, with the options that all of ours share. */
import { isMainThread } from 'node:worker_threads';
import { InferenceSession } from 'onnxruntime-node';
import { disableTelemetry, isTelemetryDisabled } from './telemetry.js';

/** A session that runs its operators one after another, each on `threads` threads. */
export async function createInferenceSession(
  model: Uint8Array,
  { threads }: { readonly threads: number },
): Promise<InferenceSession> {
  if (isMainThread) disableTelemetry();
  if (!isTelemetryDisabled()) {
    throw new Error('Call disableTelemetry on the main thread before a worker makes a session.');
  }
  return InferenceSession.create(model, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Warnings are about graph rewrites that users can do nothing about.
    logSeverityLevel: 3,
  });
}
