/**
 * What is wrong with a document is told: numbers that JSON has not, a cut text, another structure, each with its place;
 * whatever changes a record with a checksum is noticed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { DataError } from '../../core/errors.js';
import {
  ifWhole,
  jsonFault,
  jsonOrNothing,
  parseDocument,
  withChecksum,
  withoutChecksum,
} from './json-document.js';

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

const records = fc.dictionary(fc.string(), fc.jsonValue()).map((record) => {
  const { checksum: _, ...rest } = record;
  return rest;
});

test('what is written is read again, whatever stands between its fields', () => {
  fc.assert(
    fc.property(records, (record) => {
      const text = JSON.stringify(withChecksum(record), null, 2);
      assert.deepEqual(withoutChecksum(JSON.parse(text)), JSON.parse(JSON.stringify(record)));
      assert.deepEqual(withChecksum(withChecksum(record)), withChecksum(record), 'once is enough');
    }),
  );
});

test('a changed byte is noticed, in the name of the checksum too, or changes nothing that is read', () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, place, change) => {
      const bytes = Buffer.from(JSON.stringify(withChecksum(record), null, 2));
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ change;
      const read = withoutChecksum(jsonOrNothing(bytes.toString()));
      if (read === undefined) return;
      assert.deepEqual(read, JSON.parse(JSON.stringify(record)));
    }),
    { numRuns: 500 },
  );
  const renamed = JSON.stringify(withChecksum({ round: 1 })).replace('checksum', 'chec+sum');
  assert.equal(withoutChecksum(JSON.parse(renamed)), undefined);
});

test('a record that was changed is refused with the way out, and counts as damaged', async () => {
  const options = { schema: z.object({ round: z.int() }), file: 'round.json', expected: 'a round' };
  const text = JSON.stringify(withChecksum({ round: 1 }));
  assert.deepEqual(parseDocument(text, options), { round: 1 });
  assert.deepEqual(parseDocument('{"round":2}', options), { round: 2 });
  const changed = text.replace('1', '2');
  assert.throws(
    () => parseDocument(changed, options),
    /^DataError: round\.json: expected a round, found one that was changed since it was written, by its checksum/,
  );
  assert.equal(await ifWhole(Promise.resolve().then(() => parseDocument(changed, options))), undefined);
});

test('a record that the system does not let us read may be whole', async () => {
  const cause = Object.assign(new Error('i/o error'), { code: 'EIO' });
  const refused = new DataError({ file: 'x', expected: 'a round', found: 'none' }, { cause });
  await assert.rejects(ifWhole(Promise.reject(refused)), refused);
  await assert.rejects(ifWhole(Promise.reject(new TypeError('a bug'))), TypeError);
});
