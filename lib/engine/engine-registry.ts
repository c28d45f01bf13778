/** The engines and backends that there are: what each needs, how it is loaded, what to install where it is missing. */

import type { BackendName, EngineName } from '../settings/parts/engine.js';
import { hasNvidiaDriver } from '../system/hardware.js';
import type { Engine } from './engine.js';
import { findPackage } from './installed-package.js';
import { hasCudaLibraries, type OnnxBackend, onnxInstallCommand, onnxPackage } from './onnx/backends.js';
import { BACKEND_PACKAGES, installCommand, type TensorflowBackend } from './tensorflow/backends.js';

/** One backend of one engine. */
export interface RegisteredBackend {
  readonly engine: EngineName;
  readonly backend: BackendName;
  readonly device: 'cpu' | 'gpu';
  /** Who may end up with it without naming it: `auto`, at least who names its engine, or only who names it too. */
  readonly offeredTo: 'auto' | 'engine' | 'backend';
  /** The packages that it loads; the first one's version is the backend's. */
  readonly packages: readonly string[];
  /** Says what else is not installed, where that can be told from files. */
  readonly lacks?: () => string | undefined;
  /** What to type where something is not installed. */
  readonly install: string;
  /** It is not tried where there is no NVIDIA driver. */
  readonly needsNvidia: boolean;
  load(): Promise<Engine>;
}

/** Best first: what is taken is the first that works. */
export const BACKEND_REGISTRY: readonly RegisteredBackend[] = [
  tensorflow('node-gpu', { device: 'gpu', offeredTo: 'auto' }),
  onnx('cuda', { device: 'gpu', offeredTo: 'auto' }),
  onnx('cpu', { device: 'cpu', offeredTo: 'auto' }),
  onnx('wasm', { device: 'cpu', offeredTo: 'auto' }),
  // On a graphics card of any maker. Its libraries come with fedbatch, but say nothing about how good the card is.
  onnx('webgpu', { device: 'gpu', offeredTo: 'backend' }),
  // The same, where its packages were installed on purpose.
  tensorflow('webgpu', { device: 'gpu', offeredTo: 'engine' }),
  tensorflow('node', { device: 'cpu', offeredTo: 'engine' }),
  // Plain JavaScript: hundreds of times slower than the others.
  tensorflow('cpu', { device: 'cpu', offeredTo: 'backend' }),
];

type Traits = Pick<RegisteredBackend, 'device' | 'offeredTo'>;

function tensorflow(backend: TensorflowBackend, traits: Traits): RegisteredBackend {
  const { main, others } = BACKEND_PACKAGES[backend];
  return {
    engine: 'tensorflow',
    backend,
    ...traits,
    packages: [...others, main],
    install: installCommand(backend),
    needsNvidia: backend === 'node-gpu',
    load: async () => (await import('./tensorflow/tensorflow-engine.js')).loadTensorflowEngine(backend),
  };
}

function onnx(backend: OnnxBackend, traits: Traits): RegisteredBackend {
  return {
    engine: 'onnx',
    backend,
    ...traits,
    packages: [onnxPackage(backend)],
    install: onnxInstallCommand(backend),
    needsNvidia: backend === 'cuda',
    ...(backend === 'cuda'
      ? {
          lacks: () =>
            hasCudaLibraries() ? undefined : 'the libraries of its CUDA provider are not installed',
        }
      : {}),
    load: async () => (await import('./onnx/onnx-engine.js')).loadOnnxEngine(backend),
  };
}

/** As in messages and records, e.g. `onnx/cpu`. */
export function backendTitle({ engine, backend }: Pick<RegisteredBackend, 'engine' | 'backend'>): string {
  return `${engine}/${backend}`;
}

/** What of a backend is not installed; undefined when nothing is missing. Loads nothing. */
export function missingPart({ packages, lacks }: RegisteredBackend): string | undefined {
  const missing = packages.find((name) => findPackage(name) === undefined);
  return missing === undefined ? lacks?.() : `${missing} is not installed`;
}

/** Whether it needs a GPU that this machine does not have, as far as its driver tells. */
export function lacksGpu({ needsNvidia }: RegisteredBackend): boolean {
  return needsNvidia && !hasNvidiaDriver();
}

/** Why a backend cannot work here, as far as that can be told at no cost; undefined when it may. */
export function obstacleTo(backend: RegisteredBackend): string | undefined {
  return lacksGpu(backend) ? 'there is no NVIDIA driver here' : missingPart(backend);
}

/** The version of the library under a backend, where it is installed. */
export function libraryVersion({ packages: [first = ''] }: RegisteredBackend): string | undefined {
  return findPackage(first)?.version;
}
