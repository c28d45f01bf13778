/**
 * Writes a software bill of materials (CycloneDX, JSON): the packages of package-lock.json with versions and licences, as
 * `npm sbom` lists them.
 *
 *   node scripts/sbom.mjs <file> [folder…]     of those folders below node_modules alone; of all that are shipped by default
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** npm's own list of the lock file: with `folders` of what lies there, else of all that an install brings. */
export function writeSbom(file, folders) {
  const words = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const text = execFileSync('npm', folders === undefined ? [...words, '--omit', 'dev'] : words, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  const sbom = JSON.parse(text);
  if (folders !== undefined) {
    const there = new Set(folders);
    const pathOf = ({ properties = [] }) =>
      properties.find(({ name }) => name === 'cdx:npm:package:path')?.value;
    sbom.components = sbom.components.filter((each) => there.has(pathOf(each)));
    if (sbom.components.length !== there.size)
      throw new Error(`npm lists ${sbom.components.length} of ${there.size} packages`);
    const kept = new Set([sbom.metadata.component, ...sbom.components].map((each) => each['bom-ref']));
    sbom.dependencies = sbom.dependencies
      .filter(({ ref }) => kept.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) }));
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
