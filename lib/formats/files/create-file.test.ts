/** A file that is made once, where the file system has no hard links; noise-file.test.ts makes one where it has. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { killedAt } from '../../../test/processes.js';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { withoutLinks } from '../../../test/without-links.js';
import { removeTemporaryFiles } from './atomic-file.js';
import { createFileAtomic } from './create-file.js';

const MAKER = fileURLToPath(new URL('../../../test/programs/file-maker.js', import.meta.url));

test('of several that make a file at once one succeeds', async (t) => {
  const root = await temporaryDirectory(t);
  const file = join(root, 'key');
  const texts = ['a', 'b', 'c', 'd'];
  const made = await withoutLinks(() =>
    Promise.all(texts.map((text) => createFileAtomic(file, text, 0o600))),
  );
  assert.deepEqual(
    texts.filter((_, at) => made[at]),
    [await readFile(file, 'utf8')],
  );
  assert.deepEqual(await readdir(root), ['key']);
});

test('whoever is killed while a file is made leaves a whole one, or none and nothing in the way of one', async (t) => {
  let kills = 0;
  for (let isKilled = true; isKilled; kills++) {
    const root = await temporaryDirectory(t);
    const file = join(root, 'key');
    const { failed, signal, stderr } = await execa(process.execPath, [MAKER, file, 'first'], {
      ...{ reject: false, env: killedAt({ program: 'file-maker.js', path: '', before: kills + 1 }) },
    });
    isKilled = failed;
    assert.ok(!failed || signal === 'SIGKILL', stderr);
    const found = await readFile(file, 'utf8').catch(() => undefined);
    const isMade = await withoutLinks(() => createFileAtomic(file, 'second', 0o600));
    const [expected, text] = found === undefined ? [true, 'second'] : [false, 'first'];
    assert.deepEqual([isMade, await readFile(file, 'utf8')], [expected, text], `killed before ${kills + 1}`);
    await removeTemporaryFiles(root);
    assert.deepEqual(await readdir(root), ['key']);
  }
  assert.ok(kills >= 4, `${kills} operations`);
});
