/** The project's sources and guide, as tests read them. */

import assert from 'node:assert/strict';
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

/** Each of these is followed by the wait that the README asks for. */
const JOB = /k8s\/(?:\d+-)(splitter|trainer|aggregator|accuracy-test)\.yaml/;

/** Lines for a shell; after each Job the one that waits for it. */
export function readmeCommands(): readonly string[] {
  const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
  const [, section = ''] = /\n## On Kubernetes\n([\s\S]*?)\n## /.exec(readme) ?? [];
  const [, block = ''] = /```\n([\s\S]*?)```/.exec(section) ?? [];
  const commands = block.trim().split('\n');
  assert.ok(commands.length >= 6 && commands.some((line) => line.includes('kubectl apply')), block);
  const wait = /`(kubectl wait [^`]+)`/.exec(section)?.[1] ?? '';
  return commands.flatMap((line) => {
    const [, stage] = JOB.exec(line) ?? [];
    return stage === undefined ? [line] : [line, wait.replace(/job\/\S+/, `job/fedbatch-${stage}`)];
  });
}
