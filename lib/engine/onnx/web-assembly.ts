/** ONNX Runtime as WebAssembly, from the package onnxruntime-web: with SIMD and threads, and nothing fetched. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findPackage, requirePackage } from '../installed-package.js';
import { type OnnxLibrary, onnxPackage } from './backends.js';

const require = createRequire(import.meta.url);
const PACKAGE = onnxPackage('wasm');
const instances = new Map<number, OnnxLibrary>();

/**
 * The library with `threads` threads. It keeps its threads in its modules' state and starts them only once, so that
 * each number gets an instance of its own.
 *
 * @throws {Error} where the package is missing
 */
export function loadWebAssembly(threads: number): OnnxLibrary {
  const known = instances.get(threads);
  if (known !== undefined) return known;
  const library = requireAfresh();
  library.env.wasm.numThreads = threads;
  // The module's own folder: named, so that no other place is ever asked.
  library.env.wasm.wasmPaths = pathToFileURL(join(findPackage(PACKAGE)?.directory ?? '', 'dist', '/')).href;
  instances.set(threads, library);
  return library;
}

/** Loads the package and the part that it shares with the native build once more, beside those that are loaded. */
function requireAfresh(): OnnxLibrary {
  const before = new Map(libraryModules());
  for (const path of before.keys()) delete require.cache[path];
  try {
    return requirePackage(PACKAGE) as OnnxLibrary;
  } finally {
    for (const [path] of libraryModules()) delete require.cache[path];
    for (const [path, module] of before) require.cache[path] = module;
  }
}

const libraryModules = () =>
  Object.entries(require.cache).flatMap(([path, module]) =>
    module !== undefined && /[\\/]onnxruntime-(web|common)[\\/]/.test(path) ? [[path, module] as const] : [],
  );
