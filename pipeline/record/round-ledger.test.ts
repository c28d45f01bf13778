/** What a file of a round is told to hold: only what is missing or other counts as not there. */
import assert from 'node:assert/strict';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { holds } from './round-ledger.js';

test('a file that the system refuses to read may be whole, and is not taken for lost', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'global.h5');
  assert.equal(await holds(path, sha256('a model')), false, 'it is missing');
  await writeFile(path, 'a model');
  assert.equal(await holds(path, sha256('a model')), true);
  assert.equal(await holds(path, sha256('another one')), false);
  const refused = join(directory, 'refused.h5');
  await symlink(refused, refused);
  await assert.rejects(holds(refused, sha256('a model')), { name: 'DataError', message: /ELOOP/ });
});
