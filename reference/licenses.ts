/** docs/LICENSES.md: the licences of all packages that fedbatch is built from, each of which has to be one that is allowed. */
import { z } from 'zod';

/** Those that ask for no more than a notice, and the LGPL for libraries that are loaded as files of their own. */
const ALLOWED: readonly string[] = [
  ...[
    '0BSD',
    'Apache-2.0',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'BlueOak-1.0.0',
    'CC0-1.0',
    'ISC',
    'MIT',
    'Python-2.0',
  ],
  ...['Unlicense', 'Zlib', 'LGPL-3.0-or-later'],
];

/** A licence that one package alone may have, by what is done with it. */
const ALLOWED_FOR: Readonly<Record<string, string>> = {
  // Read by tests of pages; no part of what is published.
  'axe-core': 'MPL-2.0',
  // In the public domain (NIST), with the HDF5 library under a licence like BSD-3-Clause.
  h5wasm: 'SEE LICENSE IN LICENSE.txt',
};

/** What the lock file does not tell, since their package.json has it in another form: read from their own files. */
const READ_FROM_FILES: Readonly<Record<string, string>> = {
  busboy: 'MIT',
  streamsearch: 'MIT',
};

/** A package with its licence. */
export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  /** As an SPDX expression. */
  readonly license: string;
  /** Whether an install of fedbatch brings it; the others build and test it. */
  readonly isShipped: boolean;
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string(), license: z.string().optional(), dev: z.boolean().optional() }),
  ),
});

/** Whether one of the alternatives of an SPDX expression is allowed with all of its parts. */
export function isAllowed(expression: string, allowed: readonly string[] = ALLOWED): boolean {
  return expression
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((each) => each.split(' AND ').every((part) => allowed.includes(part)));
}

/**
 * The packages of a lock file, each once.
 *
 * @throws for a package whose licence is unknown, or is not allowed: judge it, then change this file
 */
export function licensedPackages(lock: unknown): readonly LicensedPackage[] {
  const { packages } = lockSchema.parse(lock);
  const found = new Map<string, LicensedPackage>();
  for (const [path, { version, license: told, dev = false }] of Object.entries(packages)) {
    if (path === '') continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const license = told ?? READ_FROM_FILES[name];
    if (license === undefined) throw new Error(`${name} ${version} tells no licence`);
    if (!isAllowed(license, [...ALLOWED, ALLOWED_FOR[name] ?? '']))
      throw new Error(
        `${name} ${version} has the licence ${license}, which is not among those that are allowed`,
      );
    const key = `${name} ${version}`;
    const isShipped = !dev || found.get(key)?.isShipped === true;
    found.set(key, { name, version, license, isShipped });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The page. */
export function licensesPage(lock: unknown): string {
  const packages = licensedPackages(lock);
  const listed = (isShipped: boolean) => {
    const these = packages.filter((each) => each.isShipped === isShipped);
    return [...new Set(these.map(({ license }) => license))].sort().map((license) => {
      const of = these.filter((each) => each.license === license);
      return `| ${license} | ${of.length} | ${of.map(({ name, version }) => `${name} ${version}`).join(', ')} |`;
    });
  };
  const head = ['| licence | packages | which |', '| --- | --- | --- |'];
  return `${[
    '# Licences',
    '',
    'fedbatch is under the [MIT licence](../LICENSE). `npm run docs` makes this page of package-lock.json, and fails for a',
    'licence that is not allowed (reference/licenses.ts); a test fails where the page is stale. Of alternatives (OR) the',
    'first that is allowed holds.',
    '',
    '## What an install brings',
    '',
    'Packages for other platforms than yours are listed, and not installed. libvips (LGPL) is loaded by sharp as a library',
    'of its own, which can be exchanged. The published package brings the parts of onnxruntime-node and onnxruntime-web',
    'that it runs (MIT).',
    '',
    ...head,
    ...listed(true),
    '',
    '## What builds and tests it',
    '',
    ...head,
    ...listed(false),
  ].join('\n')}\n`;
}
