/** ONNX Runtime's builds, each loaded when it is first asked for: a machine needs only the one that it uses. */
import type { InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import { EngineUnavailableError } from '../engine-unavailable.js';
import { requirePackage } from '../installed-package.js';
import { type OnnxBackend, type OnnxLibrary, onnxEngineName, onnxInstallCommand } from './backends.js';
import { loadWebAssembly } from './web-assembly.js';

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

/**
 * Loads the build that runs `backend`.
 *
 * @param threads those of the sessions to come: the WebAssembly build has an instance for each number
 * @throws {EngineUnavailableError} where the build does not load
 */
export async function loadOnnxRuntime(backend: OnnxBackend, threads: number): Promise<OnnxRuntime> {
  return backend === 'wasm' ? loadWeb(threads) : loadNative(backend);
}

function loadNative(backend: OnnxBackend): OnnxRuntime {
  try {
    const { InferenceSession, Tensor } = requirePackage('onnxruntime-node') as OnnxLibrary;
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
    const reason = `the package onnxruntime-web does not load (${firstLine(cause)}); install it with: ${onnxInstallCommand('wasm')}.`;
    throw new EngineUnavailableError(onnxEngineName('wasm'), reason, { cause });
  }
}

/** What an error says, without what Node adds about who required what and ONNX Runtime about where in its source. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.trim().split('\n')[0] ?? '';
  return line.replace(/^\/\S+:\d+ .* was (?:false|true)\. /, '').replace(/\.$/, '');
}
