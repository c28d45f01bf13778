/** The rates of the schedules, round by round. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type LearningRateSchedule, learningRateOf } from './learning-rate.js';

const constantRate = (base: number): LearningRateSchedule => ({
  base,
  decay: 1,
  warmUpRounds: 0,
  scaleWithClients: false,
});

const rates = (schedule: Partial<LearningRateSchedule>, rounds: number, clients = 10): readonly number[] =>
  Array.from({ length: rounds }, (_, index) => {
    const rate = learningRateOf({ ...constantRate(0.1), ...schedule }, { round: index + 1, rounds, clients });
    return Number(rate.toPrecision(12));
  });

describe('a learning-rate schedule', () => {
  it('is constant unless asked otherwise, to the last bit', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 10, noNaN: true }),
        fc.integer({ min: 1, max: 9 }),
        (base, round) => {
          assert.equal(learningRateOf(constantRate(base), { round, rounds: 9, clients: 3 }), base);
        },
      ),
    );
  });

  it('decays by a factor after each round', () => {
    assert.deepEqual(rates({ decay: 0.5 }, 4), [0.1, 0.05, 0.025, 0.0125]);
  });

  it('warms up evenly to the full rate, and decays from there', () => {
    assert.deepEqual(rates({ warmUpRounds: 3, decay: 0.5 }, 6), [0.025, 0.05, 0.075, 0.1, 0.05, 0.025]);
  });

  it('scales with the clients of the round', () => {
    assert.deepEqual(rates({ scaleWithClients: true }, 2, 8), [0.8, 0.8]);
  });

  it("rises from a single client's rate where it is scaled", () => {
    assert.deepEqual(rates({ scaleWithClients: true, warmUpRounds: 2 }, 4, 4), [0.2, 0.3, 0.4, 0.4]);
  });

  it('falls along half a cosine, which would reach 0 after the last round', () => {
    const found = rates({ decay: 'cosine' }, 4);
    assert.equal(found[0], 0.1);
    assert.equal(found[2], 0.05);
    assert.ok((found[3] ?? 1) > 0 && (found[3] ?? 1) < 0.02);
    const warmed = rates({ decay: 'cosine', warmUpRounds: 1 }, 5);
    assert.deepEqual(warmed, [0.05, ...found]);
  });

  it('never rises above the full rate, and only falls after the warm-up', () => {
    const schedules = fc.record({
      base: fc.double({ min: 1e-6, max: 1, noNaN: true }),
      decay: fc.oneof(fc.double({ min: 0.01, max: 1, noNaN: true }), fc.constant('cosine' as const)),
      warmUpRounds: fc.integer({ min: 0, max: 5 }),
      scaleWithClients: fc.boolean(),
    });
    fc.assert(
      fc.property(schedules, fc.integer({ min: 1, max: 20 }), (schedule, clients) => {
        const all = Array.from({ length: 12 }, (_, index) =>
          learningRateOf(schedule, { round: index + 1, rounds: 12, clients }),
        );
        const full = schedule.scaleWithClients ? schedule.base * clients : schedule.base;
        for (const [index, rate] of all.entries()) {
          assert.ok(rate > 0 && rate <= full * (1 + 1e-12), `${rate} of ${full}`);
          const before = all[index - 1] ?? rate;
          if (index > schedule.warmUpRounds) assert.ok(rate <= before, `${rate} after ${before}`);
          else assert.ok(rate >= before, `${rate} after ${before}`);
        }
      }),
    );
  });
});
