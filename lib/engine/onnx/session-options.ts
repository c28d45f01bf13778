/** Options of all our ONNX Runtime sessions. */
import type { InferenceSession } from 'onnxruntime-node';

/** Options for a session that runs its operators one after another, each on `threads` threads. */
export function sessionOptions(threads: number): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Warnings are about graph rewrites that users can do nothing about.
    logSeverityLevel: 3,
  };
}
