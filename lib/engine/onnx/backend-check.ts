/** Makes sure that a backend works here before anything is built on it: ONNX Runtime itself can be silent about it. */

import { GraphBuilder } from '../../model/graph/graph-builder.js';
import { EngineUnavailableError } from '../engine.js';
import {
  hasCudaLibraries,
  isDevice,
  type OnnxBackend,
  onnxEngineName,
  onnxInstallCommand,
} from './backends.js';
import { encodeOnnxModel } from './graphs/onnx-model.js';
import { createInferenceSession } from './inference-session.js';
import { firstLine, loadOnnxRuntime, type Tensor } from './runtime.js';

/** What a user has to do for a backend that does not work. */
const ADVICE: Readonly<Record<OnnxBackend, string>> = {
  cpu: 'Choose the backend wasm, which runs everywhere.',
  wasm: 'Install the packages again.',
  cuda: 'It needs Linux on x64, an NVIDIA driver, CUDA 12 and cuDNN 9 on the library path.',
  webgpu:
    'It needs a GPU with a Vulkan driver and its loader (libvulkan1 on Debian), or Metal, or Direct3D 12.',
};

/**
 * Runs a small multiplication on `backend`, with the processor's help forbidden: a session whose operators would run
 * on the processor instead is refused.
 *
 * @throws {EngineUnavailableError} with the reason, and what to install
 */
export async function requireBackend(backend: OnnxBackend): Promise<void> {
  if (backend === 'cuda') requireCudaLibraries();
  try {
    const product = await multiplyOn(backend);
    if (product.join() !== '19,22,43,50') throw new Error(`it multiplies wrongly: ${product.join()}`);
  } catch (cause) {
    if (cause instanceof EngineUnavailableError) throw cause;
    const reason = `${firstLine(cause)}. ${ADVICE[backend]}`;
    throw new EngineUnavailableError(onnxEngineName(backend), reason, { cause });
  }
}

function requireCudaLibraries(): void {
  if (hasCudaLibraries()) return;
  const reason = `the libraries of its CUDA provider are not installed. Install them with \`${onnxInstallCommand('cuda')}\`.`;
  throw new EngineUnavailableError(onnxEngineName('cuda'), `${reason} ${ADVICE.cuda}`);
}

/** [1 2; 3 4] · [5 6; 7 8] */
async function multiplyOn(backend: OnnxBackend): Promise<readonly number[]> {
  const shape = [2, 2];
  const graph = new GraphBuilder();
  const product = graph.op('MatMul', [
    graph.input('a', 'float32', shape),
    graph.input('b', 'float32', shape),
  ]);
  graph.output('product', product, { type: 'float32', shape });
  const runtime = await loadOnnxRuntime(backend, 1);
  const session = await createInferenceSession(encodeOnnxModel(graph.build()), {
    runtime,
    threads: 1,
    wholeOnDevice: isDevice(backend),
  });
  const tensor = (...values: number[]) => new runtime.Tensor('float32', Float32Array.from(values), shape);
  const outputs = await session.run({ a: tensor(1, 2, 3, 4), b: tensor(5, 6, 7, 8) });
  await session.release();
  return [...((outputs.product as Tensor).data as Float32Array)];
}
