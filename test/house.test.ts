/** What the house promises beside its code: a portable lock file, sources that say what they hold, commands that exist. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { importsOf, projectRoot, readSources } from './sources.js';

/** Whether `package.json` lets other packages import what is compiled from the source at `path`. */
const isEntry = (path: string) =>
  JSON.stringify((JSON.parse(read('package.json')) as { exports?: unknown }).exports ?? {}).includes(
    `/dist/${path.replace(/\.ts$/, '.js')}"`,
  );

const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8');

test('the lock file names no download address, so that any registry mirror serves it', () => {
  assert.doesNotMatch(read('package-lock.json'), /"resolved":\s*"https?:/);
});

test('the lock file runs no install script: those of our packages download what nobody here needs', () => {
  // npm lists a package that has one as "hasInstallScript", and runs it for that; without the line npm 10 and 11 leave
  // it alone, with no configuration and no warning. Delete the lines that npm writes for a new version.
  assert.doesNotMatch(read('package-lock.json'), /"hasInstallScript"/);
});

test('every source opens with a sentence that says what lives in it', () => {
  const without = readSources()
    .filter(({ path, text }) => !path.endsWith('.test.ts') && !/^(#!.*\n)?\/\*\*\s+\S/.test(text))
    .map(({ path }) => path);
  assert.deepEqual(without, []);
});

test('every folder with sources is compiled: what tsc finds by an import alone would have declarations and no program', () => {
  const { include } = JSON.parse(read('tsconfig.json')) as { readonly include: readonly string[] };
  const tops = new Set(readSources().map(({ path }) => path.split('/')[0] ?? ''));
  assert.deepEqual(
    [...tops].filter((top) => !include.includes(top)),
    [],
  );
});

test('the slow tests are run by .ci/run, or a script of it, but for those that want what no such machine has', () => {
  const elsewhere = {
    'lib/engine/onnx/device.slow.test.ts': 'a GPU',
    'lib/engine/conformance/tensorflow-node-gpu.slow.test.ts': 'a GPU',
    'lib/engine/conformance/tensorflow-webgpu.slow.test.ts': 'a package that is installed by hand',
    'test/tables-interop.slow.test.ts': 'pandas and pyarrow',
    'test/nfs.slow.test.ts': 'user-mode-linux',
  };
  const scripts = ['.ci/run', ...readdirSync(join(projectRoot, 'scripts')).map((name) => `scripts/${name}`)]
    .filter((path) => /^\.ci|\.sh$/.test(path))
    .map(read);
  const words = scripts.flatMap((script) =>
    [...script.matchAll(/ --slow((?: (?:\\\n +)?[\w./-]+)+)|\b(?:tests|later)=\(([\w/ -]+)\)/g)].flatMap(
      ([, slow = '', cluster = '']) => `${slow} ${cluster}`.split(/[\s\\]+/).filter((word) => word !== ''),
    ),
  );
  const unnamed = readSources()
    .map(({ path }) => path)
    .filter((path) => path.endsWith('.slow.test.ts') && !words.some((word) => path.includes(word)));
  assert.deepEqual(unnamed.sort(), Object.keys(elsewhere).sort());
});

test('the help lists every command, and each explains its options', async () => {
  const program = join(projectRoot, 'dist', 'cli.js');
  const { stdout } = await execa(process.execPath, [program, '--help']);
  const listed = [...(stdout.split('Commands:')[1] ?? '').matchAll(/^ {2}([a-z][a-z\d-]*)(?= )/gm)].map(
    ([, name]) => name,
  );
  const commands = [
    'run',
    'sweep',
    'split',
    'init',
    'init-task',
    'train',
    'aggregate',
    'as-client',
    'evaluate',
    'serve',
    'predict',
    'k8s',
    'dataset',
    'doctor',
    'each',
    'report',
    'runs',
    'stats',
    'watch',
    'record',
    'tensorboard',
    'export',
    'status',
    'logs',
  ];
  assert.deepEqual([...new Set(listed)].filter((name) => name !== 'help').sort(), commands.sort());
  await Promise.all(
    commands.map(async (command) => {
      const help = await execa(process.execPath, [program, command, '--help']);
      assert.match(help.stdout, new RegExp(`^Usage: npx fedbatch ${command} `));
      assert.match(
        help.stdout,
        /\nExamples?:\n +npx fedbatch /,
        `fedbatch ${command} --help shows an example`,
      );
    }),
  );
});

test('the commands that the guides show exist', () => {
  const guides = ['README.md', 'CONTRIBUTING.md'].filter((path) => existsSync(join(projectRoot, path)));
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const overview = read('commands.ts');
  for (const guide of guides) {
    for (const [, script = ''] of read(guide).matchAll(/\bnpm run ([a-z:-]+)/g)) {
      assert.ok(script in scripts, `${guide} shows npm run ${script}, which package.json does not have`);
    }
    for (const [, command = ''] of read(guide).matchAll(/\bnpx fedbatch ([a-z][a-z\d]*)/g)) {
      assert.ok(
        overview.includes(`name: '${command}'`),
        `${guide} shows fedbatch ${command}, which does not exist`,
      );
    }
  }
});

/** Names that a source exports where it declares them: types, and what is there at run time. */
const typesOf = (text: string): readonly string[] =>
  [...text.matchAll(/^export (?:interface|type) ([A-Za-z_]\w*)/gm)].map(([, name = '']) => name);
const valuesOf = (text: string): readonly string[] =>
  [...text.matchAll(/^export (?:abstract )?(?:async )?(?:function\*?|const|class) ([A-Za-z_]\w*)/gm)].map(
    ([, name = '']) => name,
  );

test('no function, constant or class is exported that no other file uses', () => {
  const sources = readSources();
  const importers = new Map<string, string[]>();
  for (const source of sources)
    for (const path of importsOf(source)) importers.set(path, [...(importers.get(path) ?? []), source.text]);
  const unused = sources
    // What the package exports is used outside the house; a type may be there for declarations that name it.
    .filter(({ path }) => !isEntry(path))
    .flatMap(({ path, text }) =>
      valuesOf(text)
        .filter((name) => !importers.get(path)?.some((user) => new RegExp(`\\b${name}\\b`).test(user)))
        .map((name) => `${path}: ${name} needs no export`),
    );
  assert.deepEqual(unused, []);
});

test('no two exports share a name: one name, one meaning', () => {
  const places = new Map<string, string[]>();
  for (const { path, text } of readSources()) {
    if (path.endsWith('.test.ts') || /(^|\/)(test|testing|conformance|bench)\//.test(path)) continue;
    for (const name of [...typesOf(text), ...valuesOf(text)])
      places.set(name, [...(places.get(name) ?? []), path]);
  }
  assert.ok(places.size > 500, 'exports are found');
  const shared = [...places].filter(([, paths]) => new Set(paths).size > 1);
  assert.deepEqual(shared, []);
});
