/** Adds to an installed package what the checks on a card need beside it: tests of conformance, their fixtures, peers. */

import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { importsOf, projectRoot } from '../../test/sources.js';

/** The programs that the checks start. */
const PROGRAMS = [
  ...[
    'bench/gpu/main',
    'bench/gpu/adapter',
    'bench/gpu/conformance',
    'bench/gpu/test-lines',
    'bench/gpu/profile',
    'bench/step',
  ],
  'test/programs/onnx-device',
].map((name) => `dist/${name}.js`);

/** Read from beside dist. */
const FILES = [
  ...['lib/formats/fixtures', 'lib/model/keras/fixtures', 'lib/engine/conformance/fixtures'],
  'bench/peers',
];

/** Copies them from this checkout into the folder of the package, and what of ours they import and it has not. */
export async function carry(packageFolder: string): Promise<void> {
  const files = [...PROGRAMS];
  for (const path of files) {
    const target = join(packageFolder, path);
    if (existsSync(target)) continue;
    await mkdir(dirname(target), { recursive: true });
    await cp(join(projectRoot, path), target);
    const text = await readFile(target, 'utf8');
    files.push(...importsOf({ path, text }).map((imported) => imported.replace(/\.ts$/, '.js')));
  }
  for (const folder of FILES) {
    await cp(join(projectRoot, folder), join(packageFolder, folder), { recursive: true });
  }
}
