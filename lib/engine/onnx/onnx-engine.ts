/** The ONNX engine, on a backend that was seen to work: ONNX Runtime itself can be silent where one does not. */

import { GraphBuilder } from '../../model/graph/graph-builder.js';
import { type Engine, EngineUnavailableError } from '../engine.js';
import {
  hasCudaLibraries,
  isDevice,
  type OnnxBackend,
  onnxEngineName,
  onnxInstallCommand,
} from './backends.js';
import { encodeOnnxModel } from './graphs/onnx-model.js';
import { createOnnxPredictSession } from './predict-session.js';
import { probeBlocks } from './probe-blocks.js';
import { createInferenceSession, firstLine, loadOnnxRuntime, type Tensor } from './runtime.js';
import { createOnnxTrainingSession } from './training-session.js';

/**
 * The engine on a backend that has just been seen to work.
 *
 * @throws {EngineUnavailableError} with the reason, and what to install; never falls back to another backend
 */
export async function loadOnnxEngine(backend: OnnxBackend): Promise<Engine> {
  await requireBackend(backend);
  return backend === 'cpu' ? onnxEngine : engineOn(backend);
}

/** On ONNX's standard operators alone. */
function engineOn(backend: OnnxBackend): Engine {
  const name = onnxEngineName(backend);
  return {
    name,
    createTrainingSession: (model, settings) =>
      createOnnxTrainingSession(model, { ...settings, backend, engine: name }),
    createPredictSession: (model, { threads }) => createOnnxPredictSession(model, { threads, backend }),
  };
}

/** On standard operators on this machine's processor: what the faster one is compared with. */
export const plainOnnxEngine: Engine = engineOn('cpu');

/** Runs on this machine's processor; calls block their thread while a step runs, so long work belongs in a worker. */
export const onnxEngine: Engine = {
  ...plainOnnxEngine,
  async createTrainingSession(model, settings) {
    const { blockSize } = await probeBlocks(model);
    const { name } = plainOnnxEngine;
    const engine = blockSize === undefined ? name : `${name} with blocks of ${blockSize}`;
    return createOnnxTrainingSession(model, { ...settings, backend: 'cpu', blockSize, engine });
  },
};

/** What a user has to do for a backend that does not work. */
const ADVICE: Readonly<Record<OnnxBackend, string>> = {
  cpu: 'Choose the backend wasm, which runs everywhere.',
  wasm: 'Install the packages again.',
  cuda: 'It needs Linux on x64, an NVIDIA driver, and on the library path CUDA (12 with the provider from NuGet, 13 with that from PyPI) and cuDNN 9.',
  webgpu:
    'It needs a GPU with a Vulkan driver and its loader (libvulkan1 on Debian), or Metal, or Direct3D 12.',
};

/**
 * Runs a small multiplication on `backend`, with the processor's help forbidden: a session whose operators would run
 * on the processor instead is refused.
 *
 * @throws {EngineUnavailableError} with the reason, and what to install
 */
async function requireBackend(backend: OnnxBackend): Promise<void> {
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
