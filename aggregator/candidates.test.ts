/** What an update that cannot be read means: a client's fault is a reason, a failure of this machine's disk ends the stage. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DataError } from '../lib/core/errors.js';
import { whyUnreadable } from './candidates.js';

describe('an update that cannot be read', () => {
  let root: string;
  let file: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    file = join(root, '0.h5');
    await writeFile(file, 'bytes');
    await chmod(file, 0o644);
  });
  after(() => rm(root, { recursive: true }));

  const refused = (code: string, { path = file, errno }: { path?: string; errno?: number } = {}) => {
    const cause = Object.assign(new Error('refused'), { code, errno });
    return new DataError({ file: path, expected: 'a Keras model', found: `a file (${code})` }, { cause });
  };

  it('is no reason to leave its client out where the disk failed', async () => {
    const unnamed = refused('Unknown system error -116', { errno: -116 });
    for (const error of [...['EIO', 'ESTALE', 'EMFILE', 'ENOMEM'].map((code) => refused(code)), unnamed])
      await assert.rejects(whyUnreadable(file, error), error);
    const locked = join(root, '1.h5');
    await writeFile(locked, 'bytes');
    await chmod(locked, 0o600);
    const failed = refused('EIO', { path: locked });
    await assert.rejects(whyUnreadable(locked, failed), failed);
  });

  it('is none either where everybody may read it, and the system refuses', async () => {
    for (const code of ['EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG']) {
      const error = refused(code);
      await assert.rejects(whyUnreadable(file, error), error);
    }
    // Nothing can be said of a file that the system does not show.
    const hidden = join(root, 'away', '0.h5');
    const error = refused('EACCES', { path: hidden });
    await assert.rejects(whyUnreadable(hidden, error), error);
  });

  it('is one where its client made it so', async () => {
    const [locked, looped] = ['2.h5', '3.h5'].map((name) => join(root, name)) as [string, string];
    await writeFile(locked, 'bytes');
    await chmod(locked, 0o600);
    await symlink('3.h5', looped);
    for (const [path, code] of [
      [locked, 'EACCES'],
      [looped, 'ELOOP'],
    ] as const) {
      const reason = await whyUnreadable(path, refused(code, { path }));
      assert.equal(reason, `expected a Keras model, found a file (${code})`);
    }
  });

  it('is one where the file is gone or is no model', async () => {
    const reason = await whyUnreadable(file, refused('ENOENT'));
    assert.equal(reason, 'expected a Keras model, found a file (ENOENT)');
    const empty = new DataError({ file, expected: 'a Keras model', found: 'an empty file' });
    assert.equal(await whyUnreadable(file, empty), 'expected a Keras model, found an empty file');
    const bug = new TypeError('a bug');
    await assert.rejects(whyUnreadable(file, bug), bug);
  });

  it('is none where another file is at fault, with which it is compared', async () => {
    const global = join(root, 'global.h5');
    const changed = new DataError({ file: global, expected: 'a Keras model', found: 'another one' });
    await assert.rejects(whyUnreadable(file, changed), changed);
  });
});
