/**
 * Writes a software bill of materials (CycloneDX, JSON): the packages of package-lock.json with versions and licences, as
 * `npm sbom` lists them.
 *
 *   node scripts/sbom.mjs <file> [folder…]     of those folders below node_modules alone; of all that are shipped by default
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const packageAt = (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));

/** npm's own list of the lock file: with `folders` of what lies there, else of all that an install brings. */
export function writeSbom(file, folders) {
  const words = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const text = execFileSync('npm', folders === undefined ? [...words, '--omit', 'dev'] : words, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  const sbom = JSON.parse(text);
  // npm calls it after the folder of the checkout.
  sbom.metadata.component.name = packageAt('.').name;
  if (folders !== undefined) {
    const there = new Set(folders.map(packageAt).map(({ name, version }) => `${name}@${version}`));
    sbom.components = sbom.components.filter((each) => there.has(each['bom-ref']));
    const listed = new Set(sbom.components.map((each) => each['bom-ref']));
    const missing = [...there].filter((each) => !listed.has(each));
    if (missing.length > 0) throw new Error(`npm does not list ${missing.join(', ')}`);
    listed.add(sbom.metadata.component['bom-ref']);
    sbom.dependencies = sbom.dependencies
      .filter(({ ref }) => listed.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => listed.has(each)) }));
  }
  writeFileSync(file, `${JSON.stringify(sbom, null, 2)}\n`);
  return sbom.components.length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...folders] = process.argv.slice(2);
  if (file === undefined) {
    console.error('Usage: node scripts/sbom.mjs <file> [folder…]');
    process.exit(2);
  }
  const number = writeSbom(file, folders.length === 0 ? undefined : folders);
  console.log(`${file}: ${number} packages`);
}
