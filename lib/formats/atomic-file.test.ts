/** Tests of whole-file reads and writes: readers see old or new, failures leave nothing and say why. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { StorageError } from '../federation/errors.js';
import {
  makeDirectory,
  placeFileAtomic,
  readFileBytes,
  removeTemporaryFiles,
  sha256,
  sha256OfFile,
  writeFileAtomic,
} from './atomic-file.js';

const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

test('a reader sees one whole file or another while it is replaced, and nothing else appears', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'file');
  const contents = ['a'.repeat(200_000), 'b'.repeat(100_000)] as const;
  await writeFileAtomic(path, contents[0]);
  const writer = { done: false };
  const writing = (async () => {
    for (let turn = 1; turn <= 50; turn++) await writeFileAtomic(path, contents[turn % 2 === 0 ? 0 : 1]);
    writer.done = true;
  })();
  const seen = new Set<string>();
  while (!writer.done) seen.add(await readFile(path, 'utf8'));
  await writing;
  assert.deepEqual(
    [...seen].filter((text) => text !== contents[0] && text !== contents[1]),
    [],
  );
  assert.deepEqual(await readdir(directory), ['file']);
});

test('a write that fails leaves nothing and names the reason', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'file'), 'old');
  await mkdir(join(directory, 'taken'));
  const failures: readonly (readonly [string, RegExp])[] = [
    [join(directory, 'taken'), /taken: could not be written: the path is a directory \(EISDIR\)\.$/],
    [
      join(directory, 'file', 'below'),
      /a part of the path is a file, not a directory \(E(EXIST|NOTDIR)\)\.$/,
    ],
    [join(directory, 'file', 'far', 'below'), /a part of the path is a file, not a directory \(ENOTDIR\)\.$/],
  ];
  for (const [path, message] of failures) {
    await assert.rejects(writeFileAtomic(path, 'new'), (error: Error) => {
      assert.ok(error instanceof StorageError);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual((await readdir(directory)).sort(), ['file', 'taken']);
  assert.equal(await readFile(join(directory, 'file'), 'utf8'), 'old');
});

test('directories are made with those above them, also by two at once, through links, and again', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'a', 'b', 'c');
  await Promise.all(Array.from({ length: 8 }, () => makeDirectory(path)));
  await makeDirectory(path);
  await symlink(path, join(directory, 'link'));
  await makeDirectory(join(directory, 'link', 'd'));
  await makeDirectory(join(directory, 'link'));
  assert.deepEqual(await readdir(path), ['d']);
});

test('a directory below one that is gone is refused, not waited for', async (t) => {
  const directory = join(await temporaryDirectory(t), 'gone');
  await mkdir(directory);
  const before = process.cwd();
  t.after(() => process.chdir(before));
  process.chdir(directory);
  await rm(directory, { recursive: true });
  await assert.rejects(makeDirectory('data'), { code: 'ENOENT' });
});

test('a file is placed under another name, over an older one or over itself', async (t) => {
  const directory = await temporaryDirectory(t);
  const [from, to] = [join(directory, 'from'), join(directory, 'new', 'to')];
  await writeFile(from, 'abc');
  for (let turn = 0; turn < 2; turn++) {
    await placeFileAtomic(from, to);
    assert.equal(await sha256OfFile(to, 'a file'), ABC);
    assert.deepEqual(await readdir(join(directory, 'new')), ['to']);
  }
});

test('temporary files are removed, others stay', async (t) => {
  const directory = await temporaryDirectory(t);
  for (const name of ['.tmp-0.npz-12ab', '.tmp-x', '.hidden', '0.npz'])
    await writeFile(join(directory, name), '');
  await removeTemporaryFiles(directory);
  assert.deepEqual((await readdir(directory)).sort(), ['.hidden', '0.npz']);
  await removeTemporaryFiles(join(directory, 'missing'));
});

test('a file that cannot be read is named, with what was expected', async (t) => {
  const directory = await temporaryDirectory(t);
  await assert.rejects(readFileBytes(directory, 'a shard'), /: expected a shard, found a directory\.$/);
  await assert.rejects(
    sha256OfFile(join(directory, 'x'), 'a model'),
    /x: expected a model, found no such file\.$/,
  );
  assert.equal(sha256('abc'), ABC);
});
