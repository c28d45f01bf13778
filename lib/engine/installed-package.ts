/** Finds a package without loading it: whether an optional engine is installed, and in which version. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { PACKAGES_VARIABLE } from './tensorflow/packages.js';

/** An installed package. */
export interface InstalledPackage {
  readonly version: string;
  readonly directory: string;
}

/** Looks a package up as an import from here would, but reads nothing of it but its package.json. */
export function findPackage(name: string): InstalledPackage | undefined {
  const folder = process.env[PACKAGES_VARIABLE];
  const first = folder === undefined || folder === '' ? [] : [join(resolve(folder), 'node_modules')];
  for (const modules of [...first, ...(createRequire(import.meta.url).resolve.paths(name) ?? [])]) {
    const directory = join(modules, name);
    try {
      const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
        version: string;
      };
      return { version, directory };
    } catch {
      // Not in this folder of modules: the next one.
    }
  }
  return undefined;
}
