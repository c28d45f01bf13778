/** The backends of TensorFlow.js: which packages each needs, and how it is told to a user who lacks them. */

/** As in `--backend`. */
export const TENSORFLOW_BACKENDS = ['node-gpu', 'node', 'webgpu', 'cpu'] as const;
export type TensorflowBackend = (typeof TENSORFLOW_BACKENDS)[number];

/** What a backend is made of. */
export interface BackendPackages {
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
