/** Records with a checksum: whatever changes one is noticed, and one without it is taken as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { DataError } from '../../core/errors.js';
import { withChecksum, withoutChecksum } from './checksum.js';
import { ifWhole, jsonOrNothing, parseDocument } from './json-document.js';

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

test('a changed byte is noticed, or changes nothing that is read', () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, place, change) => {
      const bytes = Buffer.from(JSON.stringify(withChecksum(record), null, 2));
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ change;
      const read = withoutChecksum(jsonOrNothing(bytes.toString()));
      if (read === undefined) return;
      // In the name of the checksum itself: the rest is as it was.
      const { checksum: _, ...changed } = JSON.parse(bytes.toString()) as Record<string, unknown>;
      const known = Object.keys(JSON.parse(JSON.stringify(record)) as object);
      const same = Object.fromEntries(Object.entries(changed).filter(([name]) => known.includes(name)));
      assert.deepEqual(same, JSON.parse(JSON.stringify(record)));
    }),
    { numRuns: 500 },
  );
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
