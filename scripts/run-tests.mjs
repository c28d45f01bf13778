/**
 * Runs the compiled tests and says at the end what was skipped and why.
 *
 *   npm test                        all tests
 *   npm test -- pipeline formats    those whose path contains one of the words
 *   npm test -- --slow              the slow tier (*.slow.test.ts) too
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const words = given.filter((argument) => !argument.startsWith('--'));
const unknown = given.filter((argument) => argument.startsWith('--') && argument !== '--slow');
if (unknown.length > 0) {
  console.error(`Unknown option ${unknown[0]}: there is --slow, and words that a test's path contains.`);
  process.exit(2);
}
const withSlow = given.includes('--slow');

/** Compiled tests whose source is still there; what an older build left behind is passed over. */
const all = readdirSync(join(root, 'dist'), { recursive: true })
  .filter((path) => path.endsWith('.test.js') && existsSync(join(root, path.replace(/\.js$/, '.ts'))))
  .filter((path) => words.length === 0 || words.some((word) => path.includes(word)));
const slow = all.filter((path) => path.endsWith('.slow.test.js'));
const chosen = withSlow ? all : all.filter((path) => !slow.includes(path));
if (chosen.length === 0) {
  console.error(`No test${words.length > 0 ? ` whose path contains ${words.join(' or ')}` : ''}.`);
  process.exit(1);
}

const sizeBytes = (path) => statSync(join(root, 'dist', path)).size;
const bySize = (a, b) => sizeBytes(b) - sizeBytes(a);

/** The source of a compiled test. */
const textOf = (path) => readFileSync(join(root, path.replace(/\.js$/, '.ts')), 'utf8');

/** Whole runs, browsers, compiled models, runs on a cluster and whatever starts a program or a server take longest. */
const isLong = (path) =>
  /^(test|k8s\/run|lib\/(engine|model\/keras))\/|\.(browser|slow)\.test/.test(path) ||
  /(\/(program-host|programs|served-app|tfjs-oracle)\.js|'execa)'/.test(textOf(path));

/** Processes of a server that read pictures and try models give way to all others, so whoever waits for them waits long. */
const isServed = (path) => path.includes('.browser.test') || path.startsWith('server/');

/** What a test does to the process that it runs in, or measures of it. */
const OWNS_PROCESS = /\bprocess\.(argv|chdir|exitCode|env[.\w[\]']* =[^=])|\bmemory(Mb|Usage)\(|\bmock\./;
/** Hooks for all tests of a file. */
const HOOKS = /^(before|after|beforeEach|afterEach)\(/m;
/** Whether a source waits while it is loaded, or something that it imports does, as every program: by its path without extension. */
const waiting = new Map();
const waits = (name) => {
  if (!waiting.has(name)) {
    waiting.set(name, false);
    const text = readFileSync(join(root, `${name}.ts`), 'utf8');
    const imports = text.matchAll(/^(?:import|export) (?!type\b)[^;']*?from '(\.[^']*)\.js';$/gm);
    waiting.set(
      name,
      /^(?!.*\basync\b)(?![\s/*]).*\bawait\b/m.test(text) ||
        [...imports].some(([, target]) => waits(join(name, '..', target))),
    );
  }
  return waiting.get(name);
};
const isAlone = (path) => {
  const text = textOf(path);
  return (
    path.includes('.slow.test') ||
    OWNS_PROCESS.test(text) ||
    (HOOKS.test(text) && waits(path.replace(/\.js$/, '')))
  );
};

/** The others run together, for half of their time they would load what all of them load: few enough to end side by side. */
const inGroups = (paths, mostBytes) => {
  const groups = [];
  let room = 0;
  for (const path of paths.sort()) {
    if (room < sizeBytes(path)) {
      groups.push([]);
      room = mostBytes;
    }
    groups.at(-1).push(path);
    room -= sizeBytes(path);
  }
  return groups;
};
const alone = chosen.filter(isAlone).sort(bySize);
const together = chosen.filter((path) => !isAlone(path));

/** Programs that load the tests of a group: what is loaded at once is a suite, for which alone its hooks are. */
const directory = mkdtempSync(join(tmpdir(), 'fedbatch-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const GROUP = [
  "import { createRequire } from 'node:module';",
  "import { describe } from 'node:test';",
  'const require = createRequire(import.meta.url);',
  'process.setMaxListeners(0);',
  `const load = (name, file, url) => describe(name, () => {
    try {
      require(file);
    } catch (error) {
      // It waits while it is loaded, or something that it imports does.
      if (error.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
      return import(url);
    }
  });`,
];
const programOf = (paths, at) => {
  const file = join(directory, `group-${at}.mjs`);
  const lines = paths.map((path) => {
    const compiled = join(root, 'dist', path);
    return `load(${JSON.stringify(path)}, ${JSON.stringify(compiled)}, ${JSON.stringify(pathToFileURL(compiled))});`;
  });
  writeFileSync(file, [...GROUP, ...lines].join('\n'));
  return file;
};
// The long ones first, so that none is left over at the end while other cores idle.
const processes = [
  // Those of a page share a browser.
  ...inGroups(together.filter(isServed), 25_000),
  ...alone.filter(isLong).map((path) => [path]),
  ...inGroups(
    together.filter((path) => isLong(path) && !isServed(path)),
    60_000,
  ),
  ...alone.filter((path) => !isLong(path)).map((path) => [path]),
  ...inGroups(
    together.filter((path) => !isLong(path) && !isServed(path)),
    60_000,
  ),
];

/** @type {{ name: string, file: string, reason: string }[]} */
const skipped = [];
let failures = 0;
const tests = run({
  files: processes.map((paths, at) =>
    paths.length === 1 ? join(root, 'dist', paths[0]) : programOf(paths, at),
  ),
  // More than there are cores: many tests wait (for a deadline, a signal, a thread that gives way) more than they compute.
  concurrency: availableParallelism() + 4,
});
tests.on('test:fail', () => {
  failures++;
});
tests.on('test:pass', ({ name, file, skip }) => {
  if (skip === undefined) return;
  const reason = typeof skip === 'string' && skip !== '' ? skip : 'no reason given';
  skipped.push({ name, file: file === undefined ? '' : relative(join(root, 'dist'), file), reason });
});

const report = tests.compose(new spec());
for await (const text of report) process.stdout.write(text);

for (const { name, file, reason } of skipped) console.log(`skipped: ${name} (${file}): ${reason}`);
if (slow.length > 0 && !withSlow) {
  console.log(`skipped: the slow tier, ${slow.length} file(s): it runs with npm test -- --slow`);
}
process.exitCode = failures > 0 ? 1 : 0;
