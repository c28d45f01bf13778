/** Tests of hashing large files in a thread: the same hash, and the same sentence for what cannot be read. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { sha256InThread } from './hash-thread.js';
import { sha256OfFile } from './read-file.js';

test('a large file has the hash of its bytes, and a program that has hashed one ends by itself', async (t) => {
  const path = join(await temporaryDirectory(t), 'large');
  const file = await open(path, 'w');
  await file.truncate(40_000_000);
  await file.write('end', 39_999_000);
  await file.close();
  const bytes = Buffer.alloc(40_000_000);
  bytes.write('end', 39_999_000);
  const expected = createHash('sha256').update(bytes).digest('hex');
  assert.deepEqual(await Promise.all([sha256InThread(path), sha256OfFile(path, 'a file')]), [
    expected,
    expected,
  ]);
  const module = fileURLToPath(new URL('./read-file.js', import.meta.url));
  const code = `import { sha256OfFile } from ${JSON.stringify(module)}; console.log(await sha256OfFile(${JSON.stringify(path)}, 'a file'));`;
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', code], { timeout: 60_000 });
  assert.equal(stdout, expected);
});

test('what the thread cannot read is said by the program', async (t) => {
  const path = join(await temporaryDirectory(t), 'none');
  assert.equal(await sha256InThread(path), undefined);
  await assert.rejects(sha256OfFile(path, 'a dataset'), /none: expected a dataset, found no such file\.$/);
});
