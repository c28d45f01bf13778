/** The table of settings: what follows from each entry, and the way from settings to arguments. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settingArguments } from './table.js';

const settings = {
  seed: 7,
  dataset: { name: 'mnist', scale: '0..16' },
  model: { name: 'mlp' },
  engine: { name: 'onnx', backend: 'cpu' },
  training: { localSteps: 3, batch: 'all', optimizer: 'sgd', learningRate: 0.1, momentum: 0, proximal: 0.01 },
  federation: {
    clients: 10,
    fraction: 0.5,
    minClients: 1,
    rounds: 4,
    partition: { scheme: 'dirichlet', alpha: 0.5, minExamples: 2 },
    simulate: true,
  },
  strategy: {
    name: 'multi-krum',
    byzantine: 2,
    keep: 3,
    privacy: { clip: 1, noise: 2, delta: 1e-5, noiseSource: 'seed' },
  },
};

describe('the arguments of a stage', () => {
  it('are the flags of the settings that it takes', () => {
    assert.deepEqual(settingArguments('split', settings), [
      ...['--seed', '7', '--data', 'mnist', '--scale', '0..16', '--clients', '10'],
      ...['--partition', 'dirichlet', '--alpha', '0.5', '--min-examples', '2', '--virtual'],
    ]);
    const { seed, model } = settings;
    assert.deepEqual(settingArguments('init', { seed, model }), ['--seed', '7', '--model', 'mlp']);
    assert.deepEqual(settingArguments('train', settings, { 'training.learningRate': 1e-7 }), [
      ...['--seed', '7', '--model', 'mlp', '--engine', 'onnx', '--backend', 'cpu', '--local-steps', '3'],
      ...['--batch', 'all', '--optimizer', 'sgd', '--learning-rate', '1e-7', '--momentum', '0'],
      ...['--proximal', '0.01'],
    ]);
    assert.deepEqual(settingArguments('aggregate', settings), [
      ...['--strategy', 'multi-krum', '--byzantine', '2', '--krum-keep', '3'],
      ...['--dp-clip', '1', '--dp-noise', '2', '--dp-delta', '0.00001', '--dp-noise-source', 'seed'],
    ]);
    assert.deepEqual(settingArguments('evaluate', settings), ['--engine', 'onnx', '--backend', 'cpu']);
  });

  it('are left out where the settings say nothing', () => {
    const { strategy: _, ...plain } = settings;
    assert.deepEqual(settingArguments('aggregate', plain), []);
    assert.deepEqual(settingArguments('doctor', { engine: { name: 'auto' } }), ['--engine', 'auto']);
  });
});
