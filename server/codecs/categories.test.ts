/** Categories by name in messages of gRPC, and in lists. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serviceDefinition } from '../grpc/messages.js';
import { categoryLookup, inNumbers } from './categories.js';
import { DT_STRING, readPredictMessage } from './predict-message.js';
import { tensorFromLists } from './tensor.js';

const SOIL = { name: 'soil', categories: ['clay', 'loam', 'sand'] };

const message = (texts: readonly string[]) => {
  const { Predict } = serviceDefinition('tensorflow.serving.PredictionService');
  const soil = {
    dtype: DT_STRING,
    tensor_shape: { dim: [{ size: texts.length }, { size: 1 }] },
    string_val: texts.map((text) => Buffer.from(text)),
  };
  const request = { model_spec: { name: 'flowers' }, inputs: { soil } };
  return Predict?.requestSerialize(request) ?? new Uint8Array(0);
};

describe('categories by name', () => {
  it('come as texts in a message of gRPC, as many as there are examples', () => {
    const texts = Array.from({ length: 300 }, (_, at) => SOIL.categories[at % 3] as string);
    const { soil } = readPredictMessage({ message: message(texts) }).tensors;
    assert.ok(soil);
    assert.deepEqual(inNumbers(soil, SOIL), {
      shape: [300, 1],
      values: Float32Array.from(texts, (_, at) => (at % 3) + 1),
    });
    const many = new Array<string>(100_001).fill('');
    assert.throws(() => readPredictMessage({ message: message(many) }), /at most 100000 texts in a tensor/);
  });

  it('come as lists of texts, of one kind, and are numbers where an input has none', () => {
    const given = tensorFromLists([['sand'], ['clay']]);
    assert.deepEqual([...inNumbers(given, SOIL).values], [3, 1]);
    assert.throws(() => inNumbers(given, { name: 'width' }), /Expected numbers, found a text in example 0/);
    assert.throws(() => tensorFromLists([['sand'], [1]]), /Expected texts, found a number in example 1/);
    assert.throws(() => tensorFromLists([[1], ['sand']]), /Expected numbers, found a text in example 1/);
    assert.throws(
      () => inNumbers(tensorFromLists([['sand'], ['peat']]), SOIL),
      /one of "clay", "loam", "sand", found "peat" in example 1\./,
    );
  });

  it('are named in a message as far as there is room', () => {
    const lookup = categoryLookup({
      name: 'shop',
      categories: Array.from({ length: 40 }, (_, at) => `s${at}`),
    });
    assert.throws(() => lookup('x'.repeat(200), 'in line 9'), /"s11" and 28 more, found "x{80}" in line 9\./);
    const open = categoryLookup({ ...SOIL, takesUnknown: true });
    assert.deepEqual([open('loam', ''), open('peat', '')], [2, 0]);
  });
});
