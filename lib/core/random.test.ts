/** Random streams: repeatable, independent of each other, and distributed as they say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { permutation, randomStream, shuffle } from './random.js';

const take = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);

describe('randomStream', () => {
  it('gives these words for ever: runs of older versions can be repeated', () => {
    const { uint32 } = randomStream(7, 'shuffle', 'client', 3);
    assert.deepEqual(take(4, uint32), PINNED_WORDS);
  });

  it('gives the same for the same path, and something else for any other', () => {
    const path = fc.array(fc.oneof(fc.string(), fc.nat()), { maxLength: 4 });
    fc.assert(
      fc.property(fc.nat(), path, fc.nat(), path, (seed, names, otherSeed, otherNames) => {
        const words = (s: number, p: readonly (string | number)[]) =>
          take(4, randomStream(s, ...p).uint32).join();
        assert.equal(words(seed, names), words(seed, names));
        const same = seed === otherSeed && JSON.stringify(names) === JSON.stringify(otherNames);
        assert.equal(words(seed, names) === words(otherSeed, otherNames), same);
      }),
    );
  });

  it('tells a number from its text, and one name from two', () => {
    const first = (...path: readonly (string | number)[]) => randomStream(0, ...path).uint32();
    assert.equal(new Set([first(1), first('1'), first('a', 'b'), first('ab'), first('a,b')]).size, 5);
  });

  it('is uniform in [0, 1) and normal around 0', () => {
    const count = 20_000;
    const random = randomStream(1, 'moments');
    const uniform = take(count, random.uniform);
    assert.ok(uniform.every((value) => value >= 0 && value < 1));
    const [mean, deviation] = moments(uniform);
    assert.ok(Math.abs(mean - 0.5) < 0.01 && Math.abs(deviation - Math.sqrt(1 / 12)) < 0.01);
    const [center, spread] = moments(take(count, random.normal));
    assert.ok(Math.abs(center) < 0.03 && Math.abs(spread - 1) < 0.03, `${center}, ${spread}`);
  });
});

describe('shuffle', () => {
  it('keeps every item, and puts each anywhere equally often', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.nat(), (items, seed) => {
        const shuffled = shuffle([...items], randomStream(seed));
        assert.deepEqual([...shuffled].sort(), [...items].sort());
      }),
    );
    const random = randomStream(3, 'places');
    const firsts = [0, 0, 0, 0, 0];
    for (let turn = 0; turn < 5000; turn++) {
      const first = permutation(5, random)[0] as number;
      firsts[first] = (firsts[first] as number) + 1;
    }
    assert.ok(
      firsts.every((count) => Math.abs(count - 1000) < 150),
      firsts.join(),
    );
  });
});

const PINNED_WORDS = [403642896, 382464402, 2895111072, 306622493];

function moments(values: readonly number[]): readonly [mean: number, deviation: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)];
}
