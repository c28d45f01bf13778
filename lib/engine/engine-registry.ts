/** The engines and backends that there are: what each needs, how it is loaded, what to install where it is missing. */
import type { BackendName, EngineName } from '../federation/engine-choice.js';
import { hasNvidiaDriver } from '../system/nvidia.js';
import type { Engine } from './engine.js';
import { findPackage } from './installed-package.js';
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
  /** What to type where a package is missing. */
  readonly install: string;
  /** It is not tried where there is no NVIDIA driver. */
  readonly needsNvidia: boolean;
  load(): Promise<Engine>;
}

/** Best first: what is taken is the first that works. */
export const BACKEND_REGISTRY: readonly RegisteredBackend[] = [
  tensorflow('node-gpu', { device: 'gpu', offeredTo: 'auto' }),
  onnx('cpu', { device: 'cpu', offeredTo: 'auto' }),
  // On a graphics card of any maker; only where its packages were installed on purpose.
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

function onnx(backend: 'cpu', traits: Traits): RegisteredBackend {
  return {
    engine: 'onnx',
    backend,
    ...traits,
    packages: ['onnxruntime-node'],
    install: 'npm install onnxruntime-node@1.30.0',
    needsNvidia: false,
    load: async () => (await import('./onnx/onnx-engine.js')).onnxEngine,
  };
}

/** As in messages and records, e.g. `onnx/cpu`. */
export function backendTitle({ engine, backend }: Pick<RegisteredBackend, 'engine' | 'backend'>): string {
  return `${engine}/${backend}`;
}

/** What it is that keeps a backend from being loaded, found without loading anything. */
export type Obstacle =
  | { readonly kind: 'package'; readonly reason: string }
  | { readonly kind: 'driver'; readonly reason: string };

/** Why a backend cannot work here, as far as that can be told at no cost; undefined when it may. */
export function obstacleTo({ packages, needsNvidia }: RegisteredBackend): Obstacle | undefined {
  if (needsNvidia && !hasNvidiaDriver()) return { kind: 'driver', reason: 'there is no NVIDIA driver here' };
  const missing = packages.find((name) => findPackage(name) === undefined);
  return missing === undefined ? undefined : { kind: 'package', reason: `${missing} is not installed` };
}

/** The version of the library under a backend, where it is installed. */
export function libraryVersion({ packages: [first = ''] }: RegisteredBackend): string | undefined {
  return findPackage(first)?.version;
}
