/** Finds a package without loading it: whether an engine is installed, and in which version. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGES_VARIABLE } from './tensorflow/backends.js';

/** An installed package. */
interface InstalledPackage {
  readonly version: string;
  readonly directory: string;
}

const DIST = join(fileURLToPath(import.meta.url), '..', '..', '..');
/** The copies that a published fedbatch carries, by platform: `scripts/vendor.mjs` makes them when it is packed. */
const VENDOR = join(DIST, 'vendor');

/** Whether this is a published package, which carries what a checkout installs; a pack that is killed leaves copies there, too. */
export const isPublished = (): boolean =>
  existsSync(VENDOR) && !existsSync(join(DIST, '..', 'tsconfig.json'));

/**
 * Looks a package up as an import from here would, but reads nothing of it but its package.json. Of a package that
 * fedbatch carries, an installed one (it may have a GPU's libraries beside it) is taken in the same version only.
 */
export function findPackage(name: string): InstalledPackage | undefined {
  const folder = process.env[PACKAGES_VARIABLE];
  const named =
    folder === undefined || folder === ''
      ? undefined
      : readPackage(join(resolve(folder), 'node_modules'), name);
  if (named !== undefined) return named;
  const platforms = isPublished() ? [`${process.platform}-${process.arch}`, 'any'] : [];
  const [carried] = platforms.flatMap((platform) => readPackage(join(VENDOR, platform), name) ?? []);
  for (const modules of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const found = readPackage(modules, name);
    if (found !== undefined && (carried === undefined || carried.version === found.version)) return found;
  }
  return carried;
}

/** Loads a CommonJS package from where it was found. @throws {Error} where it is missing or does not load */
export function requirePackage(name: string): unknown {
  const found = findPackage(name);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return createRequire(import.meta.url)(found.directory);
}

function readPackage(modules: string, name: string): InstalledPackage | undefined {
  const directory = join(modules, name);
  try {
    const text = readFileSync(join(directory, 'package.json'), 'utf8');
    return { version: (JSON.parse(text) as { version: string }).version, directory };
  } catch {
    return undefined;
  }
}
