/** Which updates stand out: the ones that attacks make, and none of an ordinary round. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { randomStream } from '../core/random.js';
import { describeOddUpdates, oddUpdates } from './odd-updates.js';

/** A round of honest clients, about the same. */
const honest = (count: number) =>
  Array.from({ length: count }, (_, client) => ({
    client,
    norm: 1 + ((client * 7) % 5) / 20,
    cosine: 0.6 + ((client * 3) % 7) / 50,
  }));
const numbersOf = (measures: Parameters<typeof oddUpdates>[0]) =>
  oddUpdates(measures).map(({ client }) => client);

describe('odd updates', () => {
  it('are told by norm and by cosine, with how far they are from the others', () => {
    const [odd, ...others] = oddUpdates([...honest(5), { client: 9, norm: 11, cosine: -0.9 }]);
    assert.deepEqual([odd?.client, others], [9, []]);
    const { norm, cosine } = odd ?? {};
    assert.ok(Math.abs((norm?.times ?? 0) - 11 / 1.125) < 1e-12);
    // Of ln 1, ln 1.05, ln 1.1 | ln 1.15, ln 1.2, ln 11 the median is that of ln 1.1 and ln 1.15.
    const center = (Math.log(1.1) + Math.log(1.15)) / 2;
    const deviations = [1, 1.05, 1.1, 1.15, 1.2, 11].map((each) => Math.abs(Math.log(each) - center));
    const [, , third = 0, fourth = 0] = deviations.toSorted((a, b) => a - b);
    const score = (0.6745 * (Math.log(11) - center)) / ((third + fourth) / 2);
    assert.ok(Math.abs((norm?.score ?? 0) - score) < 1e-9 * score, `${norm?.score} is not ${score}`);
    assert.equal(cosine?.value, -0.9);
    assert.ok((cosine?.score ?? 0) < -10);
    assert.match(
      describeOddUpdates([...honest(5), { client: 9, norm: 11, cosine: -0.9 }]) ?? '',
      /^unlike the others: client 9 \(norm 9\.78 times the median, robust z-score \d+\.?\d*; cosine -0\.90 beside 0\.\d\d, robust z-score -\d+\.?\d*\)$/,
    );
  });

  it('are those that stand still, too; of many the first are named', () => {
    assert.deepEqual(numbersOf([...honest(6), { client: 8, norm: 0 }]), [8]);
    const many = [20, 21, 22, 23, 24].map((client) => ({ client, norm: 50, cosine: 0.6 }));
    assert.match(
      describeOddUpdates([...honest(15), ...many]) ?? '',
      /client 20 .* client 22 \([^)]*\) and 2 more$/,
    );
  });

  it('are seen where most are equal, and nowhere where all are', () => {
    const equal = Array.from({ length: 9 }, (_, client) => ({ client, norm: 2, cosine: 0.5 }));
    assert.deepEqual(oddUpdates(equal), []);
    assert.deepEqual(numbersOf([...equal, { client: 9, norm: 20, cosine: 0.5 }]), [9]);
    const still = equal.map((each) => ({ ...each, norm: 0 }));
    assert.deepEqual(oddUpdates([...still, { client: 9, norm: 20, cosine: 0.5 }]), []);
  });

  it('are not there among fewer than six, nor where nothing is measured', () => {
    assert.deepEqual(oddUpdates([...honest(4), { client: 9, norm: 1e9, cosine: -1 }]), []);
    assert.equal(describeOddUpdates(honest(20).map(({ client }) => ({ client }))), undefined);
  });

  it('whatever up to two in five send, every update far beyond the others is among them, and no ordinary one', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 6, max: 30 }),
        fc.array(fc.record({ norm: fc.double({ min: 0, max: 1e30, noNaN: true }) }), { maxLength: 4 }),
        (count, wild) => {
          const measures = [
            ...honest(count).map(({ client, norm }) => ({ client, norm })),
            ...wild.map((each, at) => ({ client: 100 + at, ...each })),
          ];
          const found = numbersOf(measures);
          assert.ok(found.every((client) => client >= 100));
          for (const [at, { norm }] of wild.entries())
            if (norm > 100) assert.ok(found.includes(100 + at), `${norm}`);
        },
      ),
    ));

  it('of normal noise are one in some hundred at most', () => {
    const random = randomStream(3, 'ordinary rounds');
    let [odd, all] = [0, 0];
    for (let round = 0; round < 300; round++) {
      const count = random.integer(6, 40);
      const measures = Array.from({ length: count }, (_, client) => ({
        client,
        norm: Math.exp(0.5 * random.normal()),
        cosine: Math.tanh(0.5 + 0.3 * random.normal()),
      }));
      odd += oddUpdates(measures).length;
      all += count;
    }
    assert.ok(odd / all < 0.01, `${odd} of ${all}`);
  });
});
