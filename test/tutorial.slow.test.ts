/** The tutorial, done by the book: all of its commands, one after the other, in an empty folder. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { projectRoot } from './sources.js';
import { temporaryDirectory } from './temporary-directory.js';

/** More than it takes on a busy machine. */
const TUTORIAL_MS = 20 * 60_000;

/** The commands: fenced blocks that are marked as sh. */
const commandsOf = (text: string): string =>
  [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block).join('\n');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('every command of the tutorial does what it says, in an empty folder', async (t) => {
  const directory = await temporaryDirectory(t);
  const tutorial = await readFile(join(projectRoot, 'docs/TUTORIAL.md'), 'utf8');
  // Another server may hold the port.
  const port = await freePort();
  const commands = commandsOf(tutorial)
    .replaceAll('127.0.0.1:5000', `127.0.0.1:${port}`)
    .replaceAll(/npx fedbatch (serve|predict)/g, `$& --port ${port}`);
  assert.ok([...commands.matchAll(/npx fedbatch/g)].length > 10, 'the commands were found');
  // A package's program, as npx finds it; `kill %1` wants job control.
  const cli = join(projectRoot, 'dist/cli.js');
  const npx = `npx() { shift; "${process.execPath}" "${cli}" "$@"; }`;
  const script = join(directory, 'tutorial.sh');
  await writeFile(
    script,
    `set -eumo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n${npx}\n${commands}\n`,
  );
  const { stdout } = await promisify(execFile)('bash', [script], {
    cwd: directory,
    timeout: TUTORIAL_MS,
    killSignal: 'SIGTERM',
  });
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
