/** docs/REFERENCE.md and docs/schemas are as the programs are now, and leave nothing out. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { COMMAND_NAMES, commandNamed } from '../test/programs.js';
import { RESULT_SCHEMAS, requireValid } from '../test/results.js';
import { projectRoot, readSources } from '../test/sources.js';
import { generatedDocs, SCHEMAS_FOLDER } from './main.js';

let documents: ReadonlyMap<string, string>;
let page = '';

before(async () => {
  documents = await generatedDocs();
  page = documents.get('docs/REFERENCE.md') ?? '';
});

test('the committed documents are as npm run docs makes them', () => {
  for (const [path, text] of documents) {
    assert.ok(readFileSync(join(projectRoot, path), 'utf8') === text, `${path} is stale: npm run docs`);
  }
  const schemas = readdirSync(join(projectRoot, SCHEMAS_FOLDER)).map((name) => `${SCHEMAS_FOLDER}/${name}`);
  assert.deepEqual(
    schemas.filter((path) => !documents.has(path)),
    [],
  );
});

test('the reference has every option of every command, once in its section', async () => {
  for (const name of COMMAND_NAMES) {
    const section = page.split(/^## /m).find((each) => each.startsWith(`fedbatch ${name}\n`)) ?? '';
    for (const { flags } of (await commandNamed(name)).options) {
      assert.equal(section.split(`**\`${flags}\`**`).length, 2, `${name} ${flags}`);
    }
  }
});

test('every environment variable of the sources stands in the reference', () => {
  const names = readSources()
    .filter(({ path }) => !/\.test\.ts$|^test\/|^bench\/|\/testing\//.test(path))
    .flatMap(({ text }) => [...text.matchAll(/\bFEDBATCH_(?!MNIST\b)[A-Z_]*[A-Z]\b/g)].map(([name]) => name));
  assert.ok(names.includes('FEDBATCH_CACHE_DIR'), 'variables are found');
  for (const name of names) assert.ok(page.includes(`| \`${name}\` |`), name);
});

test('what depends on this machine is told in words', async () => {
  assert.doesNotMatch(page, new RegExp(`${projectRoot}|${process.env.HOME ?? 'no home'}`));
  assert.match(page, /\*\*`--threads <n>`\*\* .*\n {2}default: the cores of this machine or container$/m);
});

test('the snapshot of the library has names, signatures and what they refer to', () => {
  const api = documents.get('library/api.txt') ?? '';
  assert.match(api, /^# fedbatch\/engine$/m);
  assert.ok(
    api.includes('export declare function openEngine(options?: OpenEngineOptions): Promise<OpenedEngine>;'),
  );
  assert.ok(api.split('\n# What they refer to\n')[1]?.includes('export type StrategyName ='));
  assert.doesNotMatch(api, /GraphBuilder/);
});

test('every schema is held against what a program has written, by the test of that program or of all results', () => {
  const written = readSources()
    .filter(({ path }) => /\.test\.ts$|^test\//.test(path) && !path.startsWith('reference/'))
    .flatMap(({ text }) =>
      [...text.matchAll(/requireValid(?:File|Lines)?\(\s*'([\w-]+)'/g)].map(([, name]) => name),
    );
  const checked = new Set([...written, ...RESULT_SCHEMAS]);
  const names = readdirSync(join(projectRoot, SCHEMAS_FOLDER)).map((name) => name.split('.')[0] ?? '');
  assert.deepEqual(
    names.filter((name) => !checked.has(name)),
    [],
  );
});

test('the schemas refuse what is something else', () => {
  for (const [name, value] of [
    ['run', {}],
    ['round', { schemaVersion: 1, round: 1 }],
    ['metrics-event', { time: '2026-01-01T00:00:00Z', event: 'unknown' }],
    ['train-result', { client: -1 }],
  ] as const) {
    assert.throws(() => requireValid(name, value), new RegExp(`^AssertionError.*${name}: data`));
  }
});
