/** Where the real MNIST lies, for tests that use it. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of mnist.npz: `FEDBATCH_MNIST`, else `../shared/datasets/mnist.npz`; undefined where there is none. */
export function findMnist(): string | undefined {
  const path =
    process.env.FEDBATCH_MNIST ??
    fileURLToPath(new URL('../../../shared/datasets/mnist.npz', import.meta.url));
  return existsSync(path) ? path : undefined;
}
