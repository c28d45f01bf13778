/** Finds TensorFlow.js' packages, which users install only where they want them. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

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
