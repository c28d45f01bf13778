/** What is wrong with a document is told: numbers that JSON has not, a cut text, another structure, each with its place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { DataError } from '../../core/errors.js';
import { jsonFault, parseDocument } from './json-document.js';

const schema = z.object({ layers: z.array(z.object({ rate: z.number() })) });
const read = (text: string) => parseDocument(text, { schema, file: 'f.json', expected: 'layers' });

test('a document that fits is what it says', () => {
  assert.deepEqual(read('{"layers": [{"rate": 0.5}]}'), { layers: [{ rate: 0.5 }] });
});

for (const [text, found] of [
  ['{"layers": [{"rate": NaN}]}', /^NaN at layers\.0\.rate, which is no number of JSON$/],
  [
    '{"layers": [{"rate": 1}, {"rate": -Infinity}]}',
    /^-Infinity at layers\.1\.rate, which is no number of JSON$/,
  ],
  ['NaN', /^NaN, which is no number of JSON$/],
  ['{"NaN": "Infinity \\" NaN", "layers": [Infinity]}', /^Infinity at layers\.0, which/],
  ['{"layers": [{"rate": NaN}', /^no JSON \(.+\)$/],
  ['{"layers": "NaN', /^no JSON \(.+\)$/],
  ['<html>', /^no JSON \(.+\)$/],
  [' \n', /^no JSON but an empty text$/],
  [
    '{"layers": [{"rate": "x"}]}',
    /^a fault at layers\.0\.rate: Invalid input: expected number, received string$/,
  ],
  ['null', /^a fault at its top level: Invalid input: expected object, received null$/],
] as const) {
  test(`${JSON.stringify(text)} is told with its place`, () => {
    assert.throws(
      () => read(text),
      (error: unknown) => error instanceof DataError && found.test(error.problem.found),
      String(found),
    );
  });
}

test('a text that never ends costs as much time as its length', () => {
  // Tried from each of its quotes again, this would take minutes.
  const text = `"${'\\"'.repeat(200_000)}`;
  assert.match(jsonFault(text, new SyntaxError('cut')), /^no JSON \(cut\)$/);
});
