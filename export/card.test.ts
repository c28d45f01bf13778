/** The card: all that the records tell, nothing that they do not, and no mark of Markdown out of a file's texts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeModel } from '../lib/model/model-zoo.js';
import { initialWeights } from '../lib/model/parameters.js';
import { taskOf } from '../lib/model/tasks/task.js';
import { fileOf } from '../test/exports.js';
import { sampleRecords } from '../test/sample-records.js';
import { modelCard } from './card.js';
import type { ExportedModel, Origin } from './exported-model.js';
import { factsOf } from './facts.js';

const description = describeModel('mlp', { inputShape: [8, 8], outputs: 2 }, [3]);
const model = { description, weights: initialWeights(description, 0) };

const exported = (origin?: Partial<Origin>): ExportedModel => ({
  ...{ path: '/somewhere/aggregated-model.h5', sha256: 'c'.repeat(64), file: fileOf(model), model },
  task: taskOf(description),
  origin: origin && { records: sampleRecords(), round: 3, ...origin },
});

const cardOf = (given: ExportedModel, to?: 'onnx') =>
  modelCard(given, factsOf(given), { to, file: 'digits.onnx' });

test('the card of a tested model of a private run', () => {
  const card = cardOf(exported({ test: sampleRecords().accuracy }), 'onnx');
  assert.match(
    card,
    /^# my\\<data\\>-4x1-00000000\n\nA model of 203 parameters that tells 2 classes apart, trained by federated averaging over 4 clients in 3 of at most 3 rounds\.\n/,
  );
  assert.match(
    card,
    /On 200 examples that were held out from training:\n\n\| metric \| value \|\n\| --- \| --- \|\n\| accuracy \| 81\.00 % \|\n\| loss \| not finite \|/,
  );
  assert.match(card, /\| 1 \| 70\.0 % \| 100 \|/);
  assert.match(card, /Taken most often: 1 for 0 \(30 ×\), 0 for 1 \(8 ×\)\./);
  assert.match(card, /\| dealt by \| dirichlet, alpha 0\.5, min examples 1, seed 7 \|/);
  assert.match(card, /\| examples of a client \| 2 to 15, median 10 \|/);
  assert.match(card, /12 turns of clients in 3 rounds: 10 reported, 1 rejected, 2 missing\./);
  assert.match(card, /\| learning rate η \| 0\.1 \|/);
  assert.match(card, /ε = 1\.50 at δ = 1e-5/);
  assert.match(card, /session\.run\(None, \{"flatten_input": np\.zeros\(\(1, 8, 8\), "float32"\)\}\)/);
  assert.ok(!/undefined|NaN|\[object/.test(card), card);
});

test('every table has as many cells in each of its lines, whatever a file is called', () => {
  const records = sampleRecords();
  const { manifest } = records;
  assert.ok(manifest !== undefined);
  const classNames = ['a|b', 'c`d\n# e'];
  const card = cardOf(
    exported({ records: { ...records, manifest: { ...manifest, classNames } }, test: records.accuracy }),
  );
  for (const table of card.split('\n\n').filter((part) => part.startsWith('| '))) {
    const widths = table.split('\n').map((line) => line.split(/(?<!\\)\|/).length);
    assert.equal(new Set(widths).size, 1, table);
  }
  assert.match(card, /\| classes \| a\\\|b, c\\`d \\# e \|/);
  assert.doesNotMatch(card, /^# e/m);
});

test('of a model that no run names, the card claims nothing', () => {
  const card = cardOf(exported());
  assert.match(
    card,
    /^# aggregated-model\.h5\n\nA model of 203 parameters that tells 2 classes apart\. No record of a run names its file\./,
  );
  assert.match(card, /This model was not tested\./);
  assert.match(card, /Nothing is known of how it was trained\./);
  assert.match(card, /How well it does is not known/);
  assert.doesNotMatch(card, /## The training|## The data|undefined/);
});

test('figures of each client, and classes that are hardly recognised, are told', () => {
  const { accuracy } = sampleRecords();
  assert.ok(accuracy !== undefined);
  const acrossClients = {
    accuracy: { clients: 4, mean: 0.8, weightedMean: 0.82, deviation: 0.1, worstDecile: 0.6 },
    f1: { clients: 4, mean: 0.7, weightedMean: 0.7, deviation: 0.1, worstDecile: 0.5 },
  };
  const perClass = [{ class: 1, examples: 40, accuracy: 0.25 }];
  const card = cardOf(exported({ test: { ...accuracy, acrossClients, perClass } }));
  assert.match(card, /\n\| accuracy \| 4 \| 80\.00 % \| 10\.00 % \| 60\.00 % \|\n\n## The data/);
  assert.match(card, /- Of class 1 it recognises 25\.0 %\.\n/);
  assert.doesNotMatch(card, /No client was tested by itself|undefined/);
  assert.match(cardOf(exported({ test: accuracy })), /No client was tested by itself/);
});
