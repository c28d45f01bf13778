/** A run's settings as flags: what is printed asks for the same run, and says no more than it has to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { addSettings, askedByFlags } from './options.js';
import { runFlags } from './run-flags.js';
import { runSettings } from './run-settings.js';
import { ALL_PARTS } from './table.js';

const SETTINGS = { parts: ALL_PARTS };

function settingsOf(words: readonly string[]) {
  const command = addSettings(new Command(), SETTINGS).exitOverride();
  return runSettings(askedByFlags(command.parse(words, { from: 'user' }), SETTINGS));
}

test('the flags of a run give its settings again, and are those that it was asked with', () => {
  for (const words of [
    [],
    ['--seed', '7', '--data', 'my data.npz', '--epochs', '1'],
    [
      '--model',
      'mlp',
      '--hidden',
      '64,32',
      '--optimizer',
      'sgd',
      '--learning-rate',
      '0.1',
      '--momentum',
      '0.5',
    ],
    ['--local-steps', '3', '--clients', '10', '--rounds', '5', '--target-accuracy', '0.9', '--patience', '2'],
    ['--clients', '10', '--partition', 'dirichlet', '--alpha', '0.1', '--min-examples', '5', '--simulate'],
    ['--clients', '10', '--dp-clip', '1', '--dp-noise', '2', '--scale-learning-rate'],
    ['--engine', 'onnx', '--backend', 'cpu', '--strategy', 'fedadam', '--beta1', '0.5'],
  ]) {
    const settings = settingsOf(words);
    const flags = runFlags(settings);
    assert.deepEqual(settingsOf(flags), settings, words.join(' '));
    assert.deepEqual([...flags].sort(), [...words].sort());
  }
});

test('where a default depends on a file, the flags say it all the same', () => {
  for (const words of [
    ['--init', 'm.h5'],
    ['--init', 'm.h5', '--optimizer', 'adam'],
    ['--clients', '100', '--fraction', '0.001', '--min-clients', '1'],
  ]) {
    const settings = settingsOf(words);
    assert.deepEqual(settingsOf(runFlags(settings)), settings, words.join(' '));
  }
});

test('a run that was asked for privacy by its epsilon is asked for by the noise that was found', () => {
  const settings = settingsOf(['--clients', '50', '--dp-clip', '1', '--dp-epsilon', '8']);
  const flags = runFlags(settings);
  assert.ok(flags.includes('--dp-noise'));
  assert.deepEqual(settingsOf(flags), settings);
});
