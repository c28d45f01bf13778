/** The engines and backends that there are: what each needs, how it is loaded, what to install where it is missing. */
import type { BackendName, EngineName } from '../federation/engine-choice.js';
import { hasNvidiaDriver } from '../system/nvidia.js';
import type { Engine } from './engine.js';
import { findPackage } from './installed-package.js';

/** One backend of one engine. */
export interface RegisteredBackend {
  readonly engine: EngineName;
  readonly backend: BackendName;
  readonly device: 'cpu' | 'gpu';
  /** The packages that it loads; the first one's version is the backend's. */
  readonly packages: readonly string[];
  /** What to type where a package is missing. */
  readonly install: string;
  /** `auto` takes the first that works, in the order of the list; the others have to be asked for. */
  readonly isCandidateOfAuto: boolean;
  /** An engine that is named without a backend takes the first that works among these. */
  readonly isCandidateOfEngine: boolean;
  /** Where it needs an NVIDIA GPU, it is not even loaded without its driver. */
  readonly needsNvidia: boolean;
  load(): Promise<Engine>;
}

/** Best first. */
export const BACKEND_REGISTRY: readonly RegisteredBackend[] = [
  {
    engine: 'onnx',
    backend: 'cpu',
    device: 'cpu',
    packages: ['onnxruntime-node'],
    install: 'npm install onnxruntime-node@1.30.0',
    isCandidateOfAuto: true,
    isCandidateOfEngine: true,
    needsNvidia: false,
    load: async () => (await import('./onnx/onnx-engine.js')).onnxEngine,
  },
];

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
