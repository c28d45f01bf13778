/** Stages whose machine remembers that their files were not there, as a client of NFS does, end as if it did not. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { type Finished, lastLine, type Program, runProgramFile } from './programs.js';
import { temporaryDirectory } from './temporary-directory.js';

const REMEMBERS = fileURLToPath(new URL('./programs/remember-missing.js', import.meta.url));

/** Runs a program to which the paths that match are missing until it asks. */
function runMissing(
  missing: string,
  program: Program,
  args: readonly string[],
  stale = 'none at all',
): Promise<Finished> {
  const env = {
    NODE_OPTIONS: `--import=${REMEMBERS}`,
    FEDBATCH_TEST_MISSING: missing,
    FEDBATCH_TEST_STALE: stale,
  };
  return runProgramFile(program, args, { env });
}

test('a stage asks the server for what its machine remembers as missing', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = await writeTinyDataset(directory);
  const at = (...names: readonly string[]) => join(directory, ...names);
  const usual = async (name: string, ...args: readonly string[]) => {
    const { exitCode, stderr } = await runCommand(name, args);
    assert.equal(exitCode, 0, stderr);
  };
  const same = async (one: string, other: string) =>
    assert.ok((await readFile(at(one))).equals(await readFile(at(other))), `${one} and ${other}`);
  await usual('split', '--data', data, '--clients', '2', '--scale=-1..1', '--out', at('data'));

  // The manifest alone tells in which numbers the model takes images.
  const init = (out: string) => ['--data', at('data/0.npz'), '--out', at(out), '--model', 'mlp'];
  await usual('init', ...init('global.h5'));
  const made = await runMissing('manifest\\.json$', 'trainer/init-cli', init('late-global.h5'));
  assert.equal(made.exitCode, 0, made.stderr);
  await same('late-global.h5', 'global.h5');

  const train = (client: number, out: string) => [
    ...[
      '--data',
      at(`data/${client}.npz`),
      '--init',
      at('global.h5'),
      '--out',
      at(out),
      '--client',
      `${client}`,
    ],
    ...['--epochs', '1', '--batch', '60', '--threads', '1'],
  ];
  await usual('train', ...train(0, 'updates/0.h5'));
  await usual('train', ...train(1, 'updates/1.h5'));
  const trained = await runMissing('/(data|global\\.h5$)', 'trainer/cli', train(1, 'late/1.h5'));
  assert.equal(trained.exitCode, 0, trained.stderr);
  await same('late/1.h5', 'updates/1.h5');
  const reread = await runMissing('/none', 'trainer/cli', train(1, 'reread/1.h5'), 'global\\.h5$');
  assert.equal(reread.exitCode, 0, reread.stderr);
  await same('reread/1.h5', 'updates/1.h5');

  const parts = [
    '--dir',
    at('updates'),
    '--parent',
    at('global.h5'),
    '--out',
    at('next.h5'),
    '--min-updates',
    '1',
  ];
  const summed = await runMissing('updates/1\\.h5$', 'aggregator/cli', parts);
  assert.equal(summed.exitCode, 0, summed.stderr);
  assert.equal((JSON.parse(lastLine(summed.stdout)) as { readonly updates: number }).updates, 2);

  const wrong = await runMissing(
    '/none',
    'trainer/cli',
    train(0, 'x.h5').map((word) => word.replace('global', 'none')),
  );
  assert.equal(wrong.exitCode, 3);
  assert.match(wrong.stderr, /none\.h5: expected a Keras model \(\.h5 or \.keras\), found no such file\./);
});
