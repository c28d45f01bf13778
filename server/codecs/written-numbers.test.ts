/**
 * What stands in the fields of a form: numbers, what stands for empty ones, names of categories, a text of characters;
 * categories in messages and lists.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { modelRows } from '../api/model-rows.js';
import { serviceDefinition } from '../grpc/messages.js';
import type { ModelCard } from '../models/model-card.js';
import type { ServedInput } from '../models/served-facts.js';
import { DT_STRING, readPredictMessage } from './predict-message.js';
import { tensorFromLists } from './tensor.js';
import { categoryLookup, inNumbers, isText, tensorOfFields } from './written-numbers.js';

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz \n'];
const TEXT: ServedInput = { name: 'text', shape: [5], below: 29, categories: LETTERS };
const values = (texts: readonly string[], input: ServedInput) => [...tensorOfFields(texts, input).values];

describe('the fields of a form', () => {
  it('may be a text, of which the last characters count', () => {
    assert.deepEqual(values(['a whole sentence\r\nand more'], TEXT), [27, 13, 15, 18, 5]);
    assert.deepEqual(values(['d\r\ncat'], TEXT), [4, 28, 3, 1, 20]);
    // Columns of a table are fields of their own.
    const grades = ['maths', 'music'].map((name) => ({ name }));
    assert.ok(isText(TEXT) && !isText({ ...TEXT, shape: [2], columns: grades }));
    assert.throws(() => values(['cat'], TEXT), /Expected at least 5 characters for text, found 3\./);
    assert.throws(
      () => values(['cat and Dog'], TEXT),
      /a category of text that was in the training, .*found "D" in the text for text\./,
    );
  });

  it('may be left empty where something stands for what is missing', () => {
    const columns = [{ name: 'age', missing: 35 }, { name: 'income' }];
    const numbers: ServedInput = { name: 'numbers', shape: [2], columns };
    assert.deepEqual(values(['', '7'], numbers), [35, 7]);
    assert.throws(() => values(['1', ''], numbers), /2 numbers for numbers, found none in field income\./);
    const city = { name: 'city', shape: [1], categories: ['Basel', 'Bern'], takesUnknown: true };
    assert.deepEqual([values([''], city), values(['Bern'], city), values(['Thun'], city)], [[0], [2], [0]]);
    const strict = { ...city, takesUnknown: false };
    assert.throws(() => values([''], strict), /Expected 1 category for city, found none in field 1\./);
  });

  it('may be one list, as JSON or as people write it', () => {
    const series: ServedInput = { name: 'series', shape: [2, 2] };
    for (const text of ['[[1, 2], [3, 4]]', '1, 2, 3, 4', '1;2\n3 4']) {
      const tensors = { series: tensorOfFields([text], series) };
      const card = { inputs: [series] } as unknown as ModelCard;
      assert.deepEqual([...modelRows(tensors, card, { isBatch: true }).values], [1, 2, 3, 4]);
    }
    const kinds: ServedInput = { name: 'kinds', shape: [3], categories: ['on', 'off'] };
    assert.deepEqual(values(['on', 'off', 'on'], kinds), [1, 2, 1]);
    assert.throws(() => values(['1 2 x 4'], series), /Expected numbers for series, found "x"\./);
  });
});

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

  it('are known without the spaces around them, where no other one is called so', () => {
    const numberOf = categoryLookup({ name: 'work', categories: [' Private', ' State-gov', 'Private '] });
    assert.deepEqual(
      [' Private', 'Private ', 'State-gov', ' State-gov'].map((text) => numberOf(text, 'in line 2')),
      [1, 3, 2, 2],
    );
    const other = categoryLookup({ name: 'work', categories: ['None', ' None'], takesUnknown: true });
    assert.deepEqual(
      ['None', ' None', 'none'].map((text) => other(text, 'in line 2')),
      [1, 2, 0],
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
