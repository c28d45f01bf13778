/** The tutorial and the examples, done by the book: all of their commands, one after the other. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from './processes.js';
import { projectRoot } from './sources.js';
import { temporaryDirectory } from './temporary-directory.js';

/** More than it takes on a busy machine. */
const GUIDE_MS = 20 * 60_000;

/** The commands: fenced blocks that are marked as sh. */
const commandsOf = (text: string): string =>
  [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block).join('\n');

/** Runs all commands of a guide, one after the other, in a folder; what they print. */
async function follow(guide: string, cwd: string): Promise<string> {
  // Another server may hold the port.
  const port = await freePort();
  const commands = commandsOf(await readFile(join(projectRoot, guide), 'utf8'))
    .replaceAll('127.0.0.1:5000', `127.0.0.1:${port}`)
    .replaceAll(/npx fedbatch (serve|predict)/g, `$& --port ${port}`);
  // A package's program, as npx finds it; `kill %1` wants job control.
  const cli = join(projectRoot, 'dist/cli.js');
  const npx = `npx() { shift; "${process.execPath}" "${cli}" "$@"; }`;
  const script = join(cwd, 'commands.sh');
  await writeFile(
    script,
    `set -eumo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n${npx}\n${commands}\n`,
  );
  const { stdout } = await promisify(execFile)('bash', [script], {
    cwd,
    timeout: GUIDE_MS,
    killSignal: 'SIGTERM',
    maxBuffer: 2 ** 26,
  });
  return stdout;
}

test('every command of the tutorial does what it says, in an empty folder', async (t) => {
  const directory = await temporaryDirectory(t);
  const stdout = await follow('docs/TUTORIAL.md', directory);
  assert.match(stdout, /rent, taken as numbers/);
  const [, rmse] = /rmse (\d+\.\d+), loss .* after 8 rounds/.exec(stdout) ?? [];
  assert.ok(Number(rmse) < 150, `an rmse of ${rmse}`);
  assert.match(stdout, /after 10 rounds/);
  const [, value] = /"predictions":\[\[(\d+\.\d+)\]\]/.exec(stdout) ?? [];
  assert.ok(Math.abs(Number(value) - 2214) < 200, `a rent of ${value}`);
  const rents = (await readFile(join(directory, 'rents.csv'), 'utf8')).trim().split('\n');
  assert.equal(rents.length, 3);
  for (const file of ['flats.yaml', 'runs/flats/report.html', 'sweeps/flats/sweep.html', 'flats.onnx'])
    assert.ok(existsSync(join(directory, file)), file);
});

test('forty shops learn what they will sell, by embeddings and FedAdam', async (t) => {
  const directory = await temporaryDirectory(t);
  await cp(join(projectRoot, 'examples/sales'), directory, { recursive: true });
  await follow('examples/sales/README.md', directory);
  const rmspeOf = async (run: string): Promise<number> => {
    const text = await readFile(join(directory, 'runs', run, 'accuracy.json'), 'utf8');
    return (JSON.parse(text) as { readonly metrics: { readonly rmspe: number } }).metrics.rmspe;
  };
  const [adaptive, plain] = [await rmspeOf('fedadam'), await rmspeOf('fedavg')];
  assert.ok(adaptive < 0.14 && adaptive < plain, `${adaptive}, FedAvg ${plain}`);
  const predictions = (await readFile(join(directory, 'predictions.csv'), 'utf8')).trim().split('\n');
  assert.equal(predictions.length, 41);
});

test('signs are told apart by their shape, from pictures in folders', async (t) => {
  const directory = await temporaryDirectory(t);
  await cp(join(projectRoot, 'examples/own-images'), directory, { recursive: true });
  const stdout = await follow('examples/own-images/README.md', directory);
  const text = await readFile(join(directory, 'runs/signs/accuracy.json'), 'utf8');
  const { accuracy } = JSON.parse(text) as { readonly accuracy: number };
  assert.ok(accuracy > 0.7, `an accuracy of ${accuracy}`);
  assert.match(stdout, /"cross"/);
  for (const file of ['runs/signs/report.html', 'signs.onnx'])
    assert.ok(existsSync(join(directory, file)), file);
});

test('speakers of a play learn together which character follows', async (t) => {
  const directory = await temporaryDirectory(t);
  await cp(join(projectRoot, 'examples/next-character'), directory, { recursive: true });
  await follow('examples/next-character/README.md', directory);
  const text = await readFile(join(directory, 'runs/play/accuracy.json'), 'utf8');
  const { accuracy } = JSON.parse(text) as { readonly accuracy: number };
  assert.ok(accuracy > 0.32, `an accuracy of ${accuracy}`);
  const predictions = (await readFile(join(directory, 'predictions.csv'), 'utf8')).trim().split('\n');
  assert.equal(predictions.length, 6);
});

test('skewed clients: single ones are told of, and ε is kept', async (t) => {
  const directory = await temporaryDirectory(t);
  const stdout = await follow('examples/skewed-clients/README.md', directory);
  assert.match(stdout, /of 10 clients: .* worst tenth/);
  const record = await readFile(join(directory, 'runs/private/rounds/0005/round.json'), 'utf8');
  const { aggregate } = JSON.parse(record) as {
    readonly aggregate: { readonly privacy: { readonly epsilon: number } };
  };
  const { privacy } = aggregate;
  assert.ok(privacy.epsilon > 0 && privacy.epsilon <= 4, `ε = ${privacy.epsilon}`);
});
