/** The backends of ONNX Runtime: which package holds each, and what to type where one is missing. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { findPackage, isPublished } from '../installed-package.js';

/** Where the ONNX engine can run: natively on the processor or a GPU, or as WebAssembly. */
const ONNX_BACKENDS = ['cpu', 'cuda', 'webgpu', 'wasm'] as const;
export type OnnxBackend = (typeof ONNX_BACKENDS)[number];

/** What ONNX Runtime's packages export alike. */
export type OnnxLibrary = typeof import('onnxruntime-common');

/** Whether a backend is a device beside the processor: its operators are fewer, and memory is copied to it. */
export const isDevice = (backend: OnnxBackend) => backend === 'cuda' || backend === 'webgpu';

/** What the engine calls itself on a backend, e.g. `onnx/cpu`. */
export const onnxEngineName = (backend: OnnxBackend) => `onnx/${backend}`;

/** The package that holds a backend. */
export const onnxPackage = (backend: OnnxBackend) =>
  backend === 'wasm' ? 'onnxruntime-web' : 'onnxruntime-node';

/** The script by which onnxruntime-node downloads the CUDA provider's libraries (some 300 MB) beside its own. */
const DOWNLOAD = join('script', 'install.js');

/** What to type to install what a backend needs. */
export function onnxInstallCommand(backend: OnnxBackend): string {
  const name = onnxPackage(backend);
  if (backend === 'cuda') {
    const script = join(findPackage(name)?.directory ?? '', DOWNLOAD);
    // The copy that a published fedbatch carries has no such script.
    const command = existsSync(script) ? `node ${relative('', script)}` : installNative();
    return `ONNXRUNTIME_NODE_INSTALL=cuda12 ${command}`;
  }
  if (!isPublished()) return 'npm ci (it comes with fedbatch)';
  return backend === 'wasm' ? 'npm install fedbatch (it comes with it)' : installNative();
}

/** Whether the libraries lie where onnxruntime-node looks for them. */
export function hasCudaLibraries(): boolean {
  const directory = findPackage('onnxruntime-node')?.directory ?? '';
  const platform = join(process.platform, process.arch);
  return existsSync(join(directory, 'bin', 'napi-v6', platform, 'libonnxruntime_providers_cuda.so'));
}

/** In the version of the part that all of ONNX Runtime's packages share. */
const installNative = () => `npm install onnxruntime-node@${findPackage('onnxruntime-common')?.version}`;
