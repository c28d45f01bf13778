/** Names that others choose and that every JavaScript object has: none of them finds anything in our tables. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { canonicalNames } from '../lib/formats/keras/keras-file.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { describeKerasConfig } from '../lib/model/keras/keras-model.js';
import { namedLabels } from '../pipeline/preflight.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { temporaryDirectory } from './temporary-directory.js';

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

const modelOf = (...layers: readonly object[]) => ({
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    layers: [
      { class_name: 'Flatten', config: { name: 'flatten', batch_input_shape: [null, 8, 8, 1] } },
      ...layers,
    ],
  },
});

test('a layer of such a class, or with such an activation, is one that we do not know', () => {
  for (const name of NAMES) {
    assert.throws(
      () => describeKerasConfig(modelOf({ class_name: name, config: { name: 'odd' } })),
      new RegExp(`layer odd is a ${name}; known are`),
    );
    const dense = { class_name: 'Dense', config: { name: 'odd', units: 4, activation: name } };
    assert.throws(() => describeKerasConfig(modelOf(dense)), /layer odd/);
  }
});

test('a weight of such a name keeps it, and a dataset of such a name is a path', () => {
  for (const name of NAMES) {
    assert.deepEqual(canonicalNames('dense', [`dense_${name}`]), [`dense/${name}:0`]);
    assert.equal(namedLabels(name), undefined);
  }
});

test('a program that is given such a model says so, with exit code 3', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = await writeTinyDataset(directory, 20);
  const model = join(directory, 'odd.h5');
  const odd = { class_name: '__proto__', config: { name: 'odd' } };
  const last = { class_name: 'Dense', config: { name: 'last', units: 4, activation: 'softmax' } };
  const weights = [
    { name: 'last/kernel:0', shape: [64, 4], values: new Float32Array(256) },
    { name: 'last/bias:0', shape: [4], values: new Float32Array(4) },
  ];
  for (const file of [
    { modelConfig: modelOf(odd), weights: [] },
    { modelConfig: modelOf(odd, last), weights },
  ]) {
    await writeKerasFile(model, { ...file, kerasVersion: '2.15.0' });
    const flags = ['--model', model, '--data', data];
    const { exitCode, stderr } = await runCommand('evaluate', flags);
    assert.equal(exitCode, 3, stderr);
    assert.match(stderr, /error: \S+odd\.h5: expected .*layer odd is a __proto__; known are/);
    // TensorFlow.js says more, of classes of one's own in JavaScript.
    assert.doesNotMatch(stderr, /may be due to/);
  }
});
