/** The shim sees every operation of a run on its volume: the kernel, asked by strace, knows of no other. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { writeTinyDataset } from '../datasets.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { buildShim, runSession } from './session.js';

/** What changes files, by the kernel's names; io_uring would do it unseen. */
const CALLS =
  'open,openat,creat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,fsync,ftruncate,pwrite64,pwritev,write,writev,io_uring_setup';

const { failed: hasNoStrace } = await execa('strace', ['-V'], { reject: false });

test('no operation on the volume escapes the shim', {
  skip: hasNoStrace && 'strace is not here',
}, async (t) => {
  const directory = await temporaryDirectory(t);
  const shim = await buildShim(directory);
  if (shim === undefined) return t.skip('cc, which compiles the shim, is not here');
  const data = await writeTinyDataset(directory, 80);
  const volume = join(directory, 'volume');
  const trace = join(directory, 'trace');
  const small = ['--model', 'mlp', '--hidden', '8', '--clients', '2', '--rounds', '1', '--local-steps', '1'];
  const { exitCode, operations, stderr } = await runSession(shim, {
    args: ['run', '--volume', volume, '--data', data, '--threads', '1', '--jobs', '1', ...small],
    root: volume,
    wrapper: ['strace', '-f', '-qq', '-y', '-e', `trace=${CALLS}`, '-o', trace],
  });
  assert.equal(exitCode, 0, stderr);
  const calls = (await readFile(trace, 'utf8'))
    .split('\n')
    // A call that another process interrupts is told twice.
    .filter((line) => !line.includes('resumed>') && /\/volume[/">]/.test(line));
  const count = (pattern: RegExp) => calls.filter((line) => pattern.test(line)).length;
  const counted = (...kinds: readonly string[]) =>
    operations.filter(({ kind }) => kinds.includes(kind)).length;
  for (const [pattern, ...kinds] of [
    [/^\d+ +rename(at2?)?\(/, 'rename'],
    [/^\d+ +link(at)?\(/, 'link'],
    [/^\d+ +(unlink(at)?|rmdir)\(/, 'unlink'],
    [/^\d+ +mkdir(at)?\(/, 'mkdir'],
    [/^\d+ +fsync\(/, 'sync'],
    [/^\d+ +p?writev?(64)?\(\d+</, 'write'],
    [/^\d+ +ftruncate\(/, 'truncate'],
    [/^\d+ +(open(at)?|creat)\(/, 'open', 'create', 'list'],
  ] as const)
    assert.equal(counted(...kinds), count(pattern), `${kinds}`);
  assert.equal(count(/io_uring/), 0);
  assert.ok(operations.length > 100);
});
