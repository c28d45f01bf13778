import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { writeTinyDataset } from '../test/datasets.js';
import { runCommand } from '../test/program-host.js';
import { lastLine } from '../test/programs.js';
import { temporaryDirectory } from '../test/temporary-directory.js';

/** A volume with a split to `clients`, as the splitter leaves it. */
async function volumeOf(t: TestContext, clients: number) {
  const volume = await temporaryDirectory(t);
  const data = await writeTinyDataset(volume);
  const split = async (count: number) =>
    succeed('split', '--data', data, '--clients', `${count}`, '--out', join(volume, 'data'));
  await split(clients);
  return { volume, split, updates: join(volume, 'updates'), manifest: join(volume, 'data', 'manifest.json') };
}

async function succeed(program: 'split' | 'train' | 'aggregate', ...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await runCommand(program, args);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(lastLine(stdout)) as Record<string, unknown>;
}

/** One short step: what is trained does not matter here. */
const train = (volume: string, index: number) =>
  succeed(
    ...(['train', '--data', join(volume, 'data', '{client}.npz')] as const),
    ...['--out', join(volume, 'updates', '{client}.h5'), '--client-index', `${index}`],
    ...['--model', 'mlp', '--local-steps', '1', '--batch', '10', '--threads', '1'],
  );

describe('an aggregation held to a split', () => {
  it('takes no update of an earlier split, and waits for none that it has not', async (t) => {
    const { volume, split, updates, manifest } = await volumeOf(t, 3);
    await train(volume, 0);
    await train(volume, 2);
    const args = ['--dir', updates, '--out', join(volume, 'next.h5')];

    const early = await runCommand('aggregate', [...args, '--manifest', manifest]);
    assert.equal(early.exitCode, 4, early.stderr);
    assert.match(early.stderr, /Expected at least 3 good client updates, found 2/);

    await split(2);
    await copyFile(join(updates, '0.h5'), join(updates, '+evil.h5'));
    const stale = await runCommand('aggregate', [...args, '--manifest', manifest]);
    assert.equal(stale.exitCode, 4, stale.stderr);
    assert.match(stale.stderr, /0\.h5: client 0 has \d+ examples, not \d+, in .*manifest\.json/);
    await train(volume, 0);
    await train(volume, 1);
    // Of client 1, good in every way but its name: which of two is right, the name tells.
    await copyFile(join(updates, '1.h5'), join(updates, '+evil.h5'));
    await copyFile(join(updates, '1.h5'), join(updates, '3.h5'));
    const result = await succeed('aggregate', ...args, '--manifest', manifest);
    assert.equal(result.updates, 2);
    const reason = 'is not the update of a client of this round';
    assert.deepEqual(
      result.rejected,
      ['+evil.h5', '2.h5', '3.h5'].map((name) => ({ file: join(updates, name), reason })),
    );
    const named = ['0.h5', '1.h5'].map((name) => join(updates, name));
    const alone = await succeed('aggregate', '--out', join(volume, 'alone.h5'), ...named);
    assert.equal(alone.sha256, result.sha256);

    await copyFile(join(updates, '1.h5'), join(updates, '0.h5'));
    const moved = await runCommand('aggregate', [...args, '--manifest', manifest, '--clients', '0']);
    assert.equal(moved.exitCode, 4, moved.stderr);
    assert.match(moved.stderr, /0\.h5: client 1 was not selected for this round/);
  });

  it('ends with exit code 3 where the manifest is missing or none', async (t) => {
    const { volume, updates } = await volumeOf(t, 2);
    await train(volume, 0);
    const args = ['--dir', updates, '--out', join(volume, 'next.h5'), '--manifest'];
    const none = await runCommand('aggregate', [...args, join(volume, 'nowhere.json')]);
    assert.equal(none.exitCode, 3, none.stderr);
    await writeFile(join(volume, 'bad.json'), '{}');
    const bad = await runCommand('aggregate', [...args, join(volume, 'bad.json')]);
    assert.equal(bad.exitCode, 3, bad.stderr);
    assert.match(bad.stderr, /bad\.json: expected the manifest of a split/);
  });
});
