/** What stands in the fields of a form: numbers, what stands for empty ones, names of categories, a text of characters. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { modelRows } from '../api/model-rows.js';
import type { ModelCard } from '../models/model-card.js';
import type { ServedInput } from '../models/served-facts.js';
import { isText, tensorOfFields } from './written-numbers.js';

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
