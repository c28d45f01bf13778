/** ONNX Runtime's builds, each loaded when it is first asked for: a machine needs only the one that it uses. */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import { EngineUnavailableError } from '../engine-unavailable.js';
import { loadWebAssembly } from './web-assembly.js';

/** Where the ONNX engine can run: natively on the processor or a GPU, or as WebAssembly. */
export const ONNX_BACKENDS = ['cpu', 'cuda', 'webgpu', 'wasm'] as const;
export type OnnxBackend = (typeof ONNX_BACKENDS)[number];

/** The classes that the native and the WebAssembly build share, and where they differ. */
export interface OnnxRuntime {
  readonly backend: OnnxBackend;
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  /** Whether `run` writes into the tensors that it is given for its outputs; the WebAssembly build leaves them as they were. */
  readonly fillsGivenOutputs: boolean;
}

export type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';

/** Feeds of a session by input name. */
export type Feeds = InferenceSession.FeedsType;

/** Whether a backend is a device beside the processor: its operators are fewer, and memory is copied to it. */
export const isDevice = (backend: OnnxBackend) => backend === 'cuda' || backend === 'webgpu';

/** What the engine calls itself on a backend, e.g. `onnx/cpu`. */
export const onnxEngineName = (backend: OnnxBackend) => `onnx/${backend}`;

/**
 * Loads the build that runs `backend`.
 *
 * @param threads those of the sessions to come: the WebAssembly build has an instance for each number
 * @throws {EngineUnavailableError} where the build does not load
 */
export async function loadOnnxRuntime(backend: OnnxBackend, threads: number): Promise<OnnxRuntime> {
  return backend === 'wasm' ? loadWeb(threads) : loadNative(backend);
}

async function loadNative(backend: OnnxBackend): Promise<OnnxRuntime> {
  try {
    const { InferenceSession, Tensor } = await import('onnxruntime-node');
    return { backend, InferenceSession, Tensor, fillsGivenOutputs: true };
  } catch (cause) {
    const reason = `ONNX Runtime's native library does not load on ${process.platform} ${process.arch}`;
    const advice = 'choose the backend wasm, which runs everywhere';
    throw new EngineUnavailableError(onnxEngineName(backend), `${reason} (${firstLine(cause)}); ${advice}.`, {
      cause,
    });
  }
}

function loadWeb(threads: number): OnnxRuntime {
  try {
    const { InferenceSession, Tensor } = loadWebAssembly(threads);
    return { backend: 'wasm', InferenceSession, Tensor, fillsGivenOutputs: false };
  } catch (cause) {
    const reason = `the package onnxruntime-web does not load (${firstLine(cause)}); install the packages again with npm ci.`;
    throw new EngineUnavailableError(onnxEngineName('wasm'), reason, { cause });
  }
}

/** What an error says, without what Node adds about who required what and ONNX Runtime about where in its source. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.trim().split('\n')[0] ?? '';
  return line.replace(/^\/\S+:\d+ .* was (?:false|true)\. /, '').replace(/\.$/, '');
}
