/** Files of a server optimizer's state: what is written comes back, and everything else is told apart. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixturePath } from '../../test/keras-fixtures.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { encodeServerState, readServerState, type ServerStateFile } from './server-state-file.js';

const state: ServerStateFile = {
  strategy: 'fedadam',
  round: 7,
  model: 'ab'.repeat(32),
  slots: {
    m: [
      { name: 'conv2d/kernel:0', shape: [2, 3], values: Float32Array.of(1, -2, 3.5, 0, 1e-30, 3e38) },
      { name: 'conv2d/bias:0', shape: [1], values: Float32Array.of(-0.25) },
    ],
    v: [
      { name: 'conv2d/kernel:0', shape: [2, 3], values: new Float32Array(6).fill(1e-6) },
      { name: 'conv2d/bias:0', shape: [1], values: Float32Array.of(4) },
    ],
  },
};

test('a state comes back as it was written, and equal states give equal bytes', async (t) => {
  const file = join(await temporaryDirectory(t), 'server-state.h5');
  const bytes = await encodeServerState(state);
  await writeFile(file, bytes);
  assert.deepEqual(await readServerState(file), state);
  assert.deepEqual(await encodeServerState(structuredClone(state)), bytes);
});

test('a state of which one bit is another is refused', async (t) => {
  const file = join(await temporaryDirectory(t), 'server-state.h5');
  const bytes = await encodeServerState(state);
  const at = Buffer.from(bytes).indexOf(Buffer.from(Float32Array.of(1, -2, 3.5).buffer));
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(file, bytes);
  await assert.rejects(readServerState(file), {
    name: 'DataError',
    message: /expected \/m with the values .* found others: the file is damaged/,
  });
});

test('what is no state is refused with what it is', async (t) => {
  const directory = await temporaryDirectory(t);
  const text = join(directory, 'text.h5');
  await writeFile(text, 'no HDF5 at all');
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(directory, 'absent.h5'), /the state of a server optimizer \(HDF5\), found no such file/],
    [fixturePath('keras3-cnn-adam.h5'), /the state of a server optimizer \(HDF5\), found another HDF5 file/],
    [text, /expected an HDF5 file, found /],
  ];
  for (const [file, message] of cases) {
    await assert.rejects(readServerState(file), { name: 'DataError', message });
  }
});
