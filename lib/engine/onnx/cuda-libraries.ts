/** ONNX Runtime's CUDA provider: whether its libraries are installed, told from their files alone. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Downloads the provider's libraries (some 300 MB) beside the native one; npm's own installation leaves them out. */
export const CUDA_INSTALL =
  'ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js';

/** Whether the libraries lie where onnxruntime-node looks for them. */
export function hasCudaLibraries(): boolean {
  try {
    return existsSync(join(nativeFolder(), 'libonnxruntime_providers_cuda.so'));
  } catch {
    return false;
  }
}

/** Where onnxruntime-node keeps this platform's libraries. @throws {Error} where the package is missing */
function nativeFolder(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  return join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch);
}
