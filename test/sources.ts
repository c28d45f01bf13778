/** The project's sources, as the tests that check the house read them. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root, seen from dist/test/. */
export const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

/** A source file: its path below the root, with `/`, and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** What holds no source of ours. */
const PASSED_OVER = new Set(['node_modules', 'dist', 'runs', '.git', '.cache', 'fixtures']);

/** Every TypeScript file of the project. */
export function readSources(directory = projectRoot): readonly Source[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return PASSED_OVER.has(entry.name) ? [] : readSources(path);
    if (!entry.name.endsWith('.ts')) return [];
    return [{ path: relative(projectRoot, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }];
  });
}

/** Static, dynamic and re-exporting imports of a file of ours, and the files that workers are started from. */
const IMPORT = /(?:\bfrom\s+|\bimport\s*\(?\s*|\bnew URL\(\s*)['"](\.{1,2}\/[^'"]+\.js)['"]/g;

/** The project's files that `source` imports: paths below the root, ending in `.ts`. */
export function importsOf(source: Source): readonly string[] {
  return [...source.text.matchAll(IMPORT)].map(([, specifier = '']) =>
    join(dirname(source.path), specifier).replaceAll('\\', '/').replace(/\.js$/, '.ts'),
  );
}
