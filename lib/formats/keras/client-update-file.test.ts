/** What updates carry for their strategy: written, read where it is asked for, and told what is wrong with it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExtraKinds } from '../../federation/client-side.js';
import { readHdf5 } from '../hdf5/hdf5-reader.js';
import { type Hdf5Writer, writeHdf5 } from '../hdf5/hdf5-writer.js';
import { readExtras, writeExtras, writeUpdateAttributes } from './client-update-file.js';
import { decodeKerasFile, encodeKerasFile } from './keras-hdf5.js';

const kernel = { name: 'dense/kernel:0', shape: [2, 1], values: Float32Array.of(1, 2) };
const statistic = { name: 'norm/moving_mean:0', shape: [1], values: Float32Array.of(3) };
const change = [{ ...kernel, values: Float32Array.of(-0.5, 1e-30) }];
const KINDS: ExtraKinds = { steps: { kind: 'number', min: 1, max: 10 }, change: { kind: 'tensor' } };
const like = [kernel, statistic];
const update = { client: 3, round: 2, examples: 10, parent: 'ab'.repeat(32) };

const read = async (write: (hdf5: Hdf5Writer) => void) =>
  readHdf5(await writeHdf5(write), 'u.h5', (hdf5) => readExtras(hdf5, 'u.h5', { kinds: KINDS, like }));

describe('the extras of an update', () => {
  it('come back as they were, of trainable arrays alone, and stay out of what does not ask for them', async () => {
    const file = {
      modelConfig: {
        class_name: 'Sequential',
        config: { layers: [{ class_name: 'Dense', config: { name: 'dense', units: 1, use_bias: false } }] },
      },
      kerasVersion: '2.15.0',
      weights: [kernel],
      update,
    };
    const extras = { steps: 1 / 3, change };
    const bytes = await encodeKerasFile({ ...file, extras });
    assert.deepEqual((await decodeKerasFile(bytes, 'u.h5', { extras: KINDS })).extras, extras);
    assert.deepEqual(
      await decodeKerasFile(bytes, 'u.h5'),
      await decodeKerasFile(await encodeKerasFile(file), 'u.h5'),
    );
    assert.deepEqual(
      (await decodeKerasFile(await encodeKerasFile(file), 'u.h5', { extras: KINDS })).extras,
      {},
    );
  });

  it('are refused where a bit of a tensor is another; without a digest, as others may write them, they are taken', async () => {
    const bytes = Buffer.from(await writeHdf5((hdf5) => writeExtras(hdf5, { change })));
    const values = Buffer.from(change[0]?.values.buffer as ArrayBuffer);
    const at = bytes.indexOf(values);
    assert.ok(at >= 0);
    const readBytes = () =>
      readHdf5(bytes, 'u.h5', (hdf5) => readExtras(hdf5, 'u.h5', { kinds: KINDS, like }));
    assert.deepEqual(await readBytes(), { change });
    bytes[at] = (bytes[at] as number) ^ 1;
    await assert.rejects(readBytes, {
      name: 'DataError',
      message:
        /^u\.h5: expected \/fedbatch_extras\/change with the values .* found others: the file is damaged/,
    });
    const plain = await read((hdf5) => {
      hdf5.group('/fedbatch_extras');
      hdf5.group('/fedbatch_extras/change');
      hdf5.floats('/fedbatch_extras/change/0', change[0] as (typeof change)[0]);
    });
    assert.deepEqual(plain, { change });
  });

  const wrong: readonly (readonly [string, (hdf5: Hdf5Writer) => void, RegExp])[] = [
    [
      'of another shape',
      (hdf5) => writeExtras(hdf5, { change: [{ ...kernel, shape: [1, 2] }] }),
      /dense\/kernel:0 of shape \[1,2\], not \[2,1\]/,
    ],
    ['with an array less', (hdf5) => writeExtras(hdf5, { change: [] }), /lacks the array dense\/kernel:0/],
    [
      'of another name',
      (hdf5) => writeExtras(hdf5, { change: [{ ...kernel, name: 'x' }] }),
      /has the array x in place of/,
    ],
    [
      'that are a tensor where a number belongs',
      (hdf5) => writeExtras(hdf5, { steps: change }),
      /fedbatch_extras\/steps/,
    ],
    [
      'that are a number where a tensor belongs',
      (hdf5) => writeExtras(hdf5, { change: 1 }),
      /a tensor at \/fedbatch_extras\/change/,
    ],
  ];
  for (const [what, write, message] of wrong) {
    it(`${what} are refused with their place`, async () => {
      await assert.rejects(
        read(write),
        (error: Error) => error.name === 'DataError' && message.test(error.message),
      );
    });
  }

  it('are none where the file has none', async () => {
    assert.deepEqual(await read((hdf5) => writeUpdateAttributes(hdf5, update)), {});
  });
});
