import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseJson } from './json.js';
import { NumberLists } from './number-lists.js';

/** As JSON.parse gives it: lists of numbers as lists, of the numbers as 32-bit floats. */
function plain(value: unknown): unknown {
  if (value instanceof NumberLists) {
    const rows = (values: readonly number[], [extent = 0, ...inner]: readonly number[]): unknown =>
      inner.length === 0
        ? values
        : Array.from({ length: extent }, (_, at) => {
            const size = values.length / extent;
            return rows(values.slice(at * size, (at + 1) * size), inner);
          });
    return rows([...value.values], value.shape);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

const asFloats = (value: unknown): unknown => {
  if (typeof value === 'number') return Math.fround(value);
  if (Array.isArray(value)) return value.map(asFloats);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, asFloats(each)]));
};

const read = (text: string) => plain(parseJson(Buffer.from(text), ['data']));

/** JSON's numbers as programs write them, and as only people would. */
const writtenNumber = fc.oneof(
  fc.double({ min: -3.4e38, max: 3.4e38, noNaN: true }).map(String),
  fc.double({ min: -3.4e38, max: 3.4e38, noNaN: true }).map((value) => Math.fround(value).toPrecision(9)),
  fc.integer().map(String),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.bigInt({ min: 0n, max: 10n ** 25n }),
      fc.option(fc.stringMatching(/^\d{1,30}$/), { nil: undefined }),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 12 })), {
        nil: undefined,
      }),
    )
    .map(
      ([sign, whole, fraction, exponent]) =>
        sign + whole + (fraction === undefined ? '' : `.${fraction}`) + (exponent?.join('') ?? ''),
    ),
);
const space = fc.constantFrom('', '', '', ' ', '\n', '\t\r ');

describe('JSON of a request', () => {
  it('has the numbers that JSON.parse finds, to the last bit, in lists of any shape and spacing', () => {
    const lists = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }).chain((shape) => {
      const of = ([extent = 0, ...inner]: readonly number[]): fc.Arbitrary<string> => {
        const each = inner.length === 0 ? writtenNumber : of(inner);
        return fc
          .tuple(fc.array(fc.tuple(space, each, space), { minLength: extent, maxLength: extent }), space)
          .map(([all]) => `[${all.map((parts) => parts.join('')).join(',')}]`);
      };
      return of(shape);
    });
    fc.assert(
      fc.property(lists, (text) => {
        const { data } = JSON.parse(`{"data":${text}}`) as { readonly data: unknown };
        assert.deepEqual(read(`{"data": ${text} }`), { data: asFloats(data) });
      }),
      { numRuns: 200 },
    );
  });

  it('is otherwise what JSON.parse makes of it', () => {
    const value = fc.jsonValue({ maxDepth: 4 }).filter((each) => !JSON.stringify(each).includes('"data"'));
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1), (given, indent) => {
        const text = JSON.stringify(given, null, indent);
        assert.deepEqual(read(text), JSON.parse(text));
      }),
      { numRuns: 200 },
    );
    const text = '{"__proto__": {"a": 1}, "list": [{"data": [1]}, {"b": "\\"}"}], "é": null}';
    assert.deepEqual(read(text), JSON.parse(text));
  });

  it('is refused where JSON.parse refuses it', () => {
    const texts = ['{"data":[1,2]}', '{"data":[[0.5,1e3],[2,-3]],"a":[1,{"b":"c"}]}', '[{"data":[]}]'];
    const change = fc.tuple(fc.constantFrom(...texts), fc.nat(), fc.constantFrom(...'[]{}",:.-+e01 x'));
    fc.assert(
      fc.property(change, fc.boolean(), ([text, place, character], isMore) => {
        const at = place % text.length;
        const changed = text.slice(0, at) + character + text.slice(isMore ? at : at + 1);
        let parsed: unknown;
        try {
          parsed = JSON.parse(changed);
        } catch {
          assert.throws(() => read(changed), { name: 'HttpProblem', status: 400 }, changed);
          return;
        }
        try {
          assert.deepEqual(asFloats(read(changed)), asFloats(parsed), changed);
        } catch (error) {
          // What is JSON and no tensor, or names one thing twice.
          assert.match(
            String(error),
            /HttpProblem: Expected (examples of one|lists of one|numbers|each name once)/,
          );
        }
      }),
      { numRuns: 700 },
    );
  });

  const refusals: Readonly<Record<string, RegExp>> = {
    '{"data":[[1,2],[3]]}':
      /examples of one shape, \[2\] as the first, found a list of 1 where that has 2 in example 1/,
    '{"data":[[1,2],3]}': /lists of one depth, found a number in example 1/,
    '{"data":[1,[2]]}': /numbers, found a list in example 1/,
    '{"data":[[1],[2],["3"]]}': /numbers, found a text in example 2/,
    '{"data":[[1],null]}': /lists of one depth, found nothing in example 1/,
    '{"data":[1,true]}': /numbers, found a boolean in example 1/,
    '{"data":[0,1e39]}': /numbers that a 32-bit float holds, found 1e\+39 in example 1/,
    '{"data":[[[[[[[[[1]]]]]]]]]}': /lists at most 8 deep, found deeper ones/,
    '{"data":[1],"data":[2]}': /each name once in an object, found "data" twice/,
  };
  for (const [text, expected] of Object.entries(refusals))
    it(`says what is wrong with ${text}`, () => {
      assert.throws(() => read(text), { status: 400, message: expected });
    });

  it('is refused at the first thing too many, however long it is', () => {
    for (const part of ['"a",', '0,', '[],', 'null,']) {
      const text = `{"other":[${part.repeat(2_500_000)}0]}`;
      assert.throws(() => read(text), /at most 2000000 values beside lists of numbers, found more/);
    }
  });
});
