/** Errors of the operating system in words: every number has its name, and no refusal is taken for a bug. */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { getSystemErrorName } from 'node:util';
import { ExitCode, toErrorMessage } from './errors.js';
import { errorCode, isRefusal, systemReason } from './system-errors.js';

/** What Node throws for a number of the system, whether or not it has a name for it. */
function systemError(name: keyof typeof constants.errno, facts: object = {}): Error {
  const errno = -constants.errno[name];
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: ${code}, open 'x'`), { errno, code, ...facts });
}

test('each error of this system has its own name, those that Node calls unknown too', () => {
  for (const [name, number] of Object.entries(constants.errno)) {
    const found = errorCode(systemError(name as keyof typeof constants.errno));
    // Some numbers have two names.
    assert.equal(constants.errno[found as keyof typeof constants.errno], number, `${name}, ${found}`);
  }
  // fs.writeSync has another word for what it does not know than the rest of Node.
  assert.equal(errorCode(systemError('ESTALE', { code: 'UNKNOWN' })), 'ESTALE');
  for (const no of [undefined, 'ENOENT', new Error('ENOENT'), { code: 'ENOENT' }])
    assert.equal(errorCode(no), '');
});

test('the quota and a file that another machine removed are said in words', () => {
  assert.equal(systemReason(systemError('EDQUOT')), 'the disk quota is used up (EDQUOT)');
  assert.match(
    systemReason(systemError('ESTALE')),
    /^the machine that holds it no longer knows .* \(ESTALE\)$/,
  );
  assert.match(systemReason(systemError('EPROTO')), /EPROTO/);
  assert.equal(systemReason(new Error('no file at all')), 'no file at all');
});

test('an error that Node makes of two, of an operation and of closing the file, is the first', () => {
  for (const name of ['ESTALE', 'EDQUOT', 'EACCES'] as const) {
    const [first, second] = [systemError(name), systemError('EIO')];
    // As `aggregateTwoErrors` of Node does: the code is told, and no number.
    const { message, code } = first as NodeJS.ErrnoException;
    const both = Object.assign(new AggregateError([first, second], message), { code });
    assert.equal(errorCode(both), name);
    assert.ok(isRefusal(both), name);
    assert.ok(systemReason(both).endsWith(`(${name})`), systemReason(both));
  }
});

test('what the system refuses is no bug, wherever it is thrown; what is not there may be one', () => {
  const full = systemError('ENOSPC', { syscall: 'mkdtemp', path: '/tmp/x' });
  const { message, exitCode } = toErrorMessage(full);
  assert.deepEqual([message, exitCode], ['mkdtemp of /tmp/x: the disk is full (ENOSPC).', ExitCode.data]);
  for (const name of ['EDQUOT', 'EIO', 'ESTALE', 'EROFS', 'EACCES', 'ENAMETOOLONG', 'EMFILE'] as const) {
    assert.ok(isRefusal(systemError(name)), name);
    assert.equal(toErrorMessage(systemError(name)).exitCode, ExitCode.data, name);
  }
  assert.equal(toErrorMessage(systemError('ENOENT')).exitCode, ExitCode.bug);
  assert.equal(toErrorMessage(new TypeError('no function')).exitCode, ExitCode.bug);
});
