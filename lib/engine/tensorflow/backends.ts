/** The backends of TensorFlow.js: which packages each needs, where they are found, and what to tell a user who lacks them. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** As in `--backend`. */
export const TENSORFLOW_BACKENDS = ['node-gpu', 'node', 'webgpu', 'cpu'] as const;
export type TensorflowBackend = (typeof TENSORFLOW_BACKENDS)[number];

/** What a backend is made of. */
interface BackendPackages {
  /** The package that holds the whole of TensorFlow.js, for this backend. */
  readonly main: string;
  /** Beside that one. */
  readonly others: readonly string[];
  /** Under which name TensorFlow.js keeps the backend. */
  readonly registeredAs: string;
}

/** The version that was tested: TensorFlow.js' packages only fit together in the same one. */
const VERSION = '4.22.0';
const WEBGPU_VERSION = '0.6.2';

/** Packages by backend. */
export const BACKEND_PACKAGES: Readonly<Record<TensorflowBackend, BackendPackages>> = {
  'node-gpu': { main: '@tensorflow/tfjs-node-gpu', others: [], registeredAs: 'tensorflow' },
  node: { main: '@tensorflow/tfjs-node', others: [], registeredAs: 'tensorflow' },
  webgpu: {
    main: '@tensorflow/tfjs',
    others: ['@tensorflow/tfjs-backend-webgpu', 'webgpu'],
    registeredAs: 'webgpu',
  },
  cpu: { main: '@tensorflow/tfjs', others: [], registeredAs: 'cpu' },
};

/** The command that installs what a backend needs. */
export function installCommand(backend: TensorflowBackend): string {
  const { main, others } = BACKEND_PACKAGES[backend];
  const packages = [main, ...others].map((name) => `${name}@${name === 'webgpu' ? WEBGPU_VERSION : VERSION}`);
  return `npm install ${packages.join(' ')}`;
}

/** Names a folder with a `node_modules` that is searched first, as `scripts/build-tfjs-node.sh` makes one. */
export const PACKAGES_VARIABLE = 'FEDBATCH_TENSORFLOW';

/** A package that is not installed. */
export class PackageMissingError extends Error {
  override readonly name = 'PackageMissingError';
}

/** Loads one package, an ECMAScript module or not. @throws {PackageMissingError} where it is not installed */
export async function loadPackage(name: string): Promise<unknown> {
  const module = (await import(pathToFileURL(findPackage(name)).href)) as { readonly default?: unknown };
  // The older kind has everything under `default`, and only what Node could guess beside it.
  return module.default ?? module;
}

function findPackage(name: string): string {
  const folder = process.env[PACKAGES_VARIABLE];
  const roots = [
    ...(folder === undefined || folder === '' ? [] : [join(resolve(folder), 'package.json')]),
    import.meta.url,
  ];
  for (const root of roots) {
    try {
      return createRequire(root).resolve(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  throw new PackageMissingError(`the package ${name} is not installed`);
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
}
