import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readNumberLists } from './number-lists.js';

const read = (text: string, size = 4) => readNumberLists(Buffer.from(text), size);

describe('the quick reader of number lists', () => {
  it('reads what JSON.parse reads, to the last bit', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }),
      fc.float({ noNaN: true, noDefaultInfinity: true, min: 0, max: 1 }),
      fc.integer(),
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(number, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom<['instances' | 'inputs', number | undefined][]>(
          ['instances', undefined],
          ['inputs', 1],
          ['instances', 2],
        ),
        (images, [key, indent]) => {
          const nested = images.map(([a, b, c, d]) => [
            [[a], [b]],
            [[c], [d]],
          ]);
          const text = JSON.stringify(
            { [key]: nested, signature_name: 'serving_default' },
            undefined,
            indent,
          );
          const found = read(text);
          const parsed = JSON.parse(text) as Readonly<Record<string, number[][][][]>>;
          assert.deepEqual(found?.values, Float32Array.from(parsed[key]?.flat(3) ?? []));
          assert.equal(found?.count, images.length);
          assert.equal(found?.key, key);
          assert.equal(found?.signature, 'serving_default');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('reads numbers in every notation', () => {
    for (const text of [
      '0',
      '-0',
      '0.5',
      '1e3',
      '1E-3',
      '-2.5e+2',
      '0.1234567890123456789',
      '123456789012345678',
      '1e-50',
    ]) {
      assert.deepEqual(read(`{"inputs":[[${text}]]}`, 1)?.values, Float32Array.of(Number(text)), text);
    }
  });

  it('leaves to JSON.parse whatever is unusual or wrong', () => {
    for (const text of [
      '',
      '{}',
      '[]',
      '{"instances":[]}',
      '{"instances":[[]]}',
      '{"instances":[1,2,3,4]}',
      '{"instances":[[1,2,3]]}',
      '{"instances":[[1,2,3,4,5]]}',
      '{"instances":[[1,2,3,4],[1]]}',
      '{"instances":[[1,2,3,4],]}',
      '{"instances":[[1,2,3,4,]]}',
      '{"instances":[[1,,2,3,4]]}',
      '{"instances":[[1 2 3 4]]}',
      '{"instances":[[1,2][3,4]]}',
      '{"instances":[[01,2,3,4]]}',
      '{"instances":[[1.,2,3,4]]}',
      '{"instances":[[.1,2,3,4]]}',
      '{"instances":[[+1,2,3,4]]}',
      '{"instances":[[-,2,3,4]]}',
      '{"instances":[[1e,2,3,4]]}',
      '{"instances":[[1e999,2,3,4]]}',
      '{"instances":[[1e39,2,3,4]]}',
      '{"instances":[["1",2,3,4]]}',
      '{"instances":[[null,2,3,4]]}',
      '{"instances":[{"x":[1,2,3,4]}]}',
      '{"instances":[[1,2,3,4]]',
      '{"instances":[[1,2,3,4',
      '{"instances":[[1,2,3,4]]} x',
      '{"instances":[[1,2,3,4]],}',
      '{"instances":[[1,2,3,4]],"instances":[[1,2,3,4]]}',
      '{"instances":[[1,2,3,4]],"inputs":[[1,2,3,4]]}',
      '{"instances":[[1,2,3,4]],"other":1}',
      '{"signature_name":"a\\"b","instances":[[1,2,3,4]]}',
    ]) {
      assert.equal(read(text), undefined, text);
    }
  });
});
