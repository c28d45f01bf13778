/** Licences: which expressions are allowed, and that the packages here have them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../test/sources.js';
import { isAllowed, licensedPackages } from './licenses.js';

const lockOf = (license: string | undefined) => ({
  packages: { '': { version: '1.0.0' }, 'node_modules/a/node_modules/@b/c': { version: '2.0.0', license } },
});

test('an expression is allowed by one alternative, all of whose parts are', () => {
  for (const each of [
    'MIT',
    '(MIT OR GPL-3.0-or-later)',
    'Apache-2.0 AND LGPL-3.0-or-later AND MIT',
    '(MIT AND Zlib)',
  ])
    assert.ok(isAllowed(each), each);
  for (const each of [
    'GPL-3.0-only',
    'MIT AND GPL-3.0-only',
    'UNLICENSED',
    'SEE LICENSE IN x',
    '',
    'AGPL-3.0 OR SSPL-1.0',
  ])
    assert.ok(!isAllowed(each), each);
});

test('a package without a licence, or with another one, stops the page by its name', () => {
  assert.throws(() => licensedPackages(lockOf(undefined)), /@b\/c 2\.0\.0 tells no licence/);
  assert.throws(
    () => licensedPackages(lockOf('GPL-2.0-only')),
    /@b\/c 2\.0\.0 has the licence GPL-2\.0-only/,
  );
  assert.deepEqual(licensedPackages(lockOf('ISC')), [
    { name: '@b/c', version: '2.0.0', license: 'ISC', isShipped: true },
  ]);
});

test('what the lock file says is what the installed packages say, and those it says nothing of hold that text', () => {
  const lock = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly license?: string }>>;
  };
  const packages = licensedPackages(lock);
  assert.ok(packages.filter(({ isShipped }) => isShipped).length > 100);
  let compared = 0;
  for (const [path, { license }] of Object.entries(lock.packages)) {
    const file = join(projectRoot, path, 'package.json');
    if (path === '' || !existsSync(file)) continue;
    const own = JSON.parse(readFileSync(file, 'utf8')) as { readonly license?: unknown };
    if (license !== undefined) assert.equal(license, own.license, path);
    else {
      const name = readdirSync(join(projectRoot, path)).find((each) => /^licen[sc]e/i.test(each)) ?? '';
      assert.match(
        readFileSync(join(projectRoot, path, name), 'utf8'),
        /Permission is hereby granted, free of charge/,
      );
    }
    compared++;
  }
  assert.ok(compared > 200, `${compared}`);
});
