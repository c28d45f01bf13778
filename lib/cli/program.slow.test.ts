/** How programs end that are asked to, and cannot. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const STAGE = fileURLToPath(new URL('../../test/programs/stage.js', import.meta.url));

test('a program whose work does not stop is over 9 s after the signal, and says so', async () => {
  const program = execa(process.execPath, [STAGE, 'linger'], { reject: false });
  await once(program.stdout, 'data');
  // Its own kill() would send SIGKILL after 5 s.
  process.kill(program.pid ?? 0, 'SIGTERM');
  const { exitCode, stderr } = await program;
  assert.equal(exitCode, 130);
  assert.equal(stderr, 'error: Interrupted: what was at work did not stop within 9 s, and was cut off.');
});
