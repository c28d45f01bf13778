/**
 * Runs the compiled tests and says at the end what was skipped and why.
 *
 *   npm test                        all tests
 *   npm test -- pipeline formats    those whose path contains one of the words
 *   npm test -- --slow              the slow tier (*.slow.test.ts) too
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const words = given.filter((argument) => !argument.startsWith('--'));
const unknown = given.filter((argument) => argument.startsWith('--') && argument !== '--slow');
if (unknown.length > 0) {
  console.error(`Unknown option ${unknown[0]}: there is --slow, and words that a test's path contains.`);
  process.exit(2);
}
const withSlow = given.includes('--slow');

/** How long a test takes, in no unit: by what it starts, then by how much is in it. */
const length = (path) =>
  (/^test\/|\.browser\.test/.test(path) ? 1e9 : 0) + statSync(join(root, 'dist', path)).size;

/** Compiled tests whose source is still there; what an older build left behind is passed over. */
const all = readdirSync(join(root, 'dist'), { recursive: true })
  .filter((path) => path.endsWith('.test.js') && existsSync(join(root, path.replace(/\.js$/, '.ts'))))
  .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
  // Whole runs and browsers take longest, then long files: begun first, none is left over at the end while other cores idle.
  .sort((a, b) => length(b) - length(a));
const slow = all.filter((path) => path.endsWith('.slow.test.js'));
const chosen = withSlow ? all : all.filter((path) => !slow.includes(path));
if (chosen.length === 0) {
  console.error(`No test${words.length > 0 ? ` whose path contains ${words.join(' or ')}` : ''}.`);
  process.exit(1);
}

/** @type {{ name: string, file: string, reason: string }[]} */
const skipped = [];
let failures = 0;
const tests = run({
  files: chosen.map((path) => join(root, 'dist', path)),
  // Two more than there are cores: some tests wait (for a deadline, a signal, a download) more than they compute.
  concurrency: availableParallelism() + 2,
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
