/**
 * Gathers what one image needs and nothing else: the compiled files that its programs reach by imports, the packages
 * that these name, with all of their dependencies, the files that they find beside themselves, and in sbom.cdx.json the
 * list of these packages.
 *
 *   node scripts/image-files.mjs <directory> <program>…      e.g. /images/splitter dist/splitter/cli.js
 *
 * Whole packages stay whole, each with its package.json, so that scanners of images know what is in them. Files are
 * linked, not copied, where the file system allows it.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSbom } from './sbom.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [directory, ...programs] = process.argv.slice(2);
if (directory === undefined || programs.length === 0) {
  console.error('Usage: node scripts/image-files.mjs <directory> <program>…');
  process.exit(2);
}

/** Static, dynamic and re-exporting imports, packages loaded by name, and files of `new URL('…', import.meta.url)`. */
const REFERENCE = /(?:\bfrom\s+|\bimport\s*\(?\s*|\brequirePackage\(\s*|\bnew URL\(\s*)['"]([^'"]+)['"]/g;
/** Comments speak of imports too; and those of types load nothing. */
const NEEDLESS_TEXT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$|^(?:import|export) type [^;]*;$/gm;

const reached = new Set();
const packages = new Set();

function follow(path) {
  if (reached.has(path)) return;
  if (!existsSync(path)) throw new Error(`${path} is imported and not there`);
  if (statSync(path).isDirectory()) {
    // What a program finds beside itself: pictures, pages, templates; not the sources that made them.
    for (const name of readdirSync(path))
      if (!/\.(ts|mjs|sh)$|^fixtures$/.test(name)) follow(join(path, name));
    return;
  }
  reached.add(path);
  if (!path.endsWith('.js') || path.includes('/public/')) return;
  for (const [, target] of textOf(path).replace(NEEDLESS_TEXT, '').matchAll(REFERENCE)) {
    if (target.startsWith('.')) follow(resolve(dirname(path), target));
    else if (!target.startsWith('node:')) addPackage(packageOf(target), root);
  }
}

/** What tells the references of a compiled file: its own text and that of its source, which names single modules. */
function textOf(path) {
  const text = readFileSync(path, 'utf8');
  const name = relative(join(root, 'dist'), path);
  // A shared file holds modules of other programs too: it needs its imports, but not what such a module loads later.
  if (name.startsWith('merged/')) return text.match(/^import .*;$/gm)?.join('\n') ?? '';
  const source = join(root, name.replace(/\.js$/, '.ts'));
  return existsSync(source) ? `${text}\n${readFileSync(source, 'utf8')}` : text;
}

/** `@img/sharp/x` → `@img/sharp`, `express/x` → `express`. */
function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Node's own search: from the importer upwards. */
function findPackage(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (existsSync(join(found, 'package.json'))) return found;
    if (folder === dirname(folder)) return undefined;
  }
}

function addPackage(name, from, { optional = false } = {}) {
  const found = findPackage(name, from);
  if (found === undefined && optional) return;
  if (found === undefined) throw new Error(`the package ${name}, imported from ${from}, is not installed`);
  if (packages.has(found)) return;
  packages.add(found);
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(join(found, 'package.json'), 'utf8'),
  );
  for (const each of Object.keys(dependencies ?? {})) {
    addPackage(each, found, { optional: each in (optionalDependencies ?? {}) });
  }
  for (const each of Object.keys(optionalDependencies ?? {})) addPackage(each, found, { optional: true });
  for (const each of Object.keys(peerDependencies ?? {})) {
    if (!peerDependenciesMeta?.[each]?.optional) addPackage(each, found, { optional: true });
  }
}

/** What node never reads when it runs a package. */
const NEEDLESS = /\.(map|md|markdown|d\.[cm]?ts)$|(^|\/)\.[^/]+$/;

function place(path) {
  const target = join(directory, relative(root, path));
  mkdirSync(dirname(target), { recursive: true });
  try {
    linkSync(path, target);
  } catch (error) {
    if (error.code !== 'EXDEV' && error.code !== 'EPERM') throw error;
    copyFileSync(path, target);
  }
}

function placePackage(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // A package within a package comes by itself where something needs it.
    if (entry.isDirectory() && entry.name !== 'node_modules') placePackage(path);
    else if (entry.isFile() && !NEEDLESS.test(path)) place(path);
  }
}

for (const program of programs) follow(resolve(root, program));
for (const path of [...reached, join(root, 'package.json'), join(root, 'LICENSE')]) {
  if (!existsSync(join(directory, relative(root, path)))) place(path);
}
for (const folder of packages) placePackage(folder);
writeSbom(
  join(directory, 'sbom.cdx.json'),
  [...packages].map((folder) => relative(root, folder)),
);
console.log(`${directory}: ${reached.size} files of ours, ${packages.size} packages`);
