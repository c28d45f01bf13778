/** A copy of the built project whose packages can be taken away or replaced: machines on which an engine is broken. */
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from './sources.js';

/** What lies in place of a package: the text of its main module, or null where it is not installed. */
type Replacements = Readonly<Record<string, string | null>>;

/** Copies dist/ to `directory` and links all packages but those replaced; returns the path of a program there. */
export async function copyHouse(
  directory: string,
  replacements: Replacements,
): Promise<(program: string) => string> {
  await cp(join(projectRoot, 'dist'), join(directory, 'dist'), {
    recursive: true,
    filter: (path) => path !== join(projectRoot, 'dist', 'vendor'),
  });
  await cp(join(projectRoot, 'package.json'), join(directory, 'package.json'));
  const installed = join(projectRoot, 'node_modules');
  const modules = join(directory, 'node_modules');
  const link = async (name: string): Promise<void> => {
    if (name.startsWith('.') || name in replacements) return;
    if (name.startsWith('@') && !name.includes('/')) {
      for (const inner of await readdir(join(installed, name))) await link(`${name}/${inner}`);
      return;
    }
    await mkdir(join(modules, name, '..'), { recursive: true });
    await symlink(join(installed, name), join(modules, name));
  };
  await mkdir(modules);
  for (const name of await readdir(installed)) await link(name);
  await writePackages(modules, replacements);
  return (program) => join(directory, 'dist', `${program}.js`);
}

/** Writes packages into a `node_modules` folder. */
export async function writePackages(modules: string, packages: Replacements): Promise<void> {
  for (const [name, main] of Object.entries(packages)) {
    if (main === null) continue;
    await mkdir(join(modules, name), { recursive: true });
    await writeFile(
      join(modules, name, 'package.json'),
      JSON.stringify({ name, version: '0.0.0', main: 'main.js' }),
    );
    await writeFile(join(modules, name, 'main.js'), main);
  }
}
