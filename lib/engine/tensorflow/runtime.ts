/** TensorFlow.js with one of its backends, loaded when first asked for. */
import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs';
import { EngineUnavailableError } from '../engine.js';
import { prepareNativeEnvironment } from '../native-environment.js';
import {
  BACKEND_PACKAGES,
  installCommand,
  loadPackage,
  PackageMissingError,
  type TensorflowBackend,
} from './backends.js';
import { registerNormalization } from './normalization-layer.js';
import { provideWebgpu } from './webgpu-device.js';

/** The library, and what it runs on. */
export interface TensorflowRuntime {
  readonly tf: typeof Tf;
  /** As written into records: `tensorflow/cpu`, `tensorflow/webgpu on <card>`. */
  readonly name: string;
  /**
   * Makes this runtime's backend the one that the next operations run on. TensorFlow.js has one for the whole thread:
   * await this, then compute without another await between.
   */
  use(): Promise<void>;
}

/** How the names of the native packages begin. */
const NATIVE = '@tensorflow/tfjs-node';
let loadedNative: string | undefined;

const runtimes = new Map<TensorflowBackend, Promise<TensorflowRuntime>>();

/** Loads a backend once. @throws {EngineUnavailableError} saying why not and what to install */
export function loadRuntime(backend: TensorflowBackend): Promise<TensorflowRuntime> {
  const known = runtimes.get(backend);
  if (known !== undefined) return known;
  const loading = load(backend).catch((error: unknown) => {
    throw unavailable(backend, error);
  });
  runtimes.set(backend, loading);
  return loading;
}

async function load(backend: TensorflowBackend): Promise<TensorflowRuntime> {
  const { main, others, registeredAs } = BACKEND_PACKAGES[backend];
  requireOneNative(main);
  restoreRemovedUtilities();
  prepareNativeEnvironment();
  const card = backend === 'webgpu' ? await provideWebgpu() : undefined;
  const tf = (await loadPackage(main)) as typeof Tf;
  if (registeredAs === 'tensorflow') loadedNative = main;
  // Else it greets on stderr.
  tf.enableProdMode();
  registerNormalization(tf);
  for (const name of others.filter((each) => each !== 'webgpu')) await loadPackage(name);
  const use = async () => {
    // Another session may choose another backend while this one waits.
    while (tf.getBackend() !== registeredAs) {
      if (!(await tf.setBackend(registeredAs))) throw new Error(`the backend ${registeredAs} does not start`);
    }
  };
  await use();
  if (backend === 'node-gpu') requireGpu(tf);
  return { tf, use, name: `tensorflow/${backend}${card === undefined ? '' : ` on ${card}`}` };
}

/** Both native packages register themselves under one name. */
function requireOneNative(main: string): void {
  if (loadedNative === undefined || loadedNative === main || !main.startsWith(NATIVE)) return;
  throw new Error(`this process has loaded ${loadedNative}, and can hold one of the two`);
}

/** The package runs on the processor where it finds no graphics card, without a word. */
function requireGpu(tf: typeof Tf): void {
  const { isUsingGpuDevice } = tf.backend() as { readonly isUsingGpuDevice?: boolean };
  if (isUsingGpuDevice !== true) {
    throw new Error(
      'TensorFlow finds no CUDA graphics card, or not the CUDA and cuDNN that it was built for',
    );
  }
}

function unavailable(backend: TensorflowBackend, error: unknown): EngineUnavailableError {
  const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  const advice = error instanceof PackageMissingError ? `; install it with: ${installCommand(backend)}` : '';
  return new EngineUnavailableError(`tensorflow/${backend}`, `${reason}${advice}`, { cause: error });
}

/**
 * `@tensorflow/tfjs-node` 4.22 calls `util.isNullOrUndefined`, which Node 23 removed (tensorflow/tfjs issue 8609): it is
 * put back where it is missing. Call before the package is loaded.
 */
export function restoreRemovedUtilities(): void {
  // The module object itself: an import's namespace cannot be added to.
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
}
