/** The record of a small made-up sweep for tests: two axes, two seeds; some trials stopped, one failed. */
import { newSweepRecord, type SweepRecord, type TrialRecord } from '../sweep-record.js';

/** Four configurations with two seeds each. */
export function sampleSweep(): SweepRecord {
  const trial = (
    number: number,
    [rate, hidden]: readonly [number, string],
    course: readonly number[],
    more: Partial<TrialRecord> = {},
  ): TrialRecord => ({
    number,
    id: `digits-3x2-0000000${number}`,
    values: { 'training.learningRate': rate, 'model.hidden': hidden },
    seed: (number + 1) % 2,
    state: 'finished',
    metric: 'accuracy',
    course: [...course],
    seconds: 2,
    ...more,
  });
  const stopped = { state: 'stopped', reason: 'Stopped by the median rule: accuracy <0.3>.' } as const;
  return newSweepRecord({
    id: 'digits-8-1a2b3c4d',
    search: { kind: 'grid' },
    medianRule: 1,
    axes: [
      { place: 'training.learningRate', name: 'learning-rate', values: [0.1, 0.01] },
      { place: 'model.hidden', name: 'hidden', values: ['64', '64,32'] },
      { place: 'seed', name: 'seed', values: [0, 1] },
    ],
    trials: [
      trial(1, [0.1, '64'], [0.6, 0.8, 0.9]),
      trial(2, [0.1, '64'], [0.6, 0.8, 0.9]),
      trial(3, [0.1, '64,32'], [0.7, 0.9, 0.94]),
      trial(4, [0.1, '64,32'], [0.7, 0.9, 0.96]),
      trial(5, [0.01, '64'], [0.3, 0.4, 0.5]),
      trial(6, [0.01, '64'], [0.3], stopped),
      trial(7, [0.01, '64,32'], [0.3], stopped),
      trial(8, [0.01, '64,32'], [], { state: 'failed', reason: 'train client 1: ended with exit code 3.' }),
    ],
  });
}

/** A sweep of many axes, drawn: three settings, forty configurations. */
export function drawnSweep(): SweepRecord {
  const count = 40;
  const share = (index: number, step: number) => ((index * step) % count) / count;
  return newSweepRecord({
    id: 'digits-40-5e6f7a8b',
    search: { kind: 'sobol', count },
    axes: [
      {
        place: 'training.learningRate',
        name: 'learning-rate',
        range: { from: 0.0001, to: 0.1, isLog: true },
      },
      { place: 'training.momentum', name: 'momentum', range: { from: 0, to: 0.9, isLog: false } },
      { place: 'training.optimizer', name: 'optimizer', values: ['sgd', 'adam', 'rmsprop'] },
      { place: 'training.batch', name: 'batch', values: [10, 20, 50, 100] },
    ],
    trials: Array.from({ length: count }, (_, index) => ({
      number: index + 1,
      id: `digits-3x2-${index}`,
      values: {
        'training.learningRate': Number((0.0001 * 1000 ** share(index, 7)).toPrecision(6)),
        'training.momentum': Number((0.9 * share(index, 11)).toPrecision(6)),
        'training.optimizer': ['sgd', 'adam', 'rmsprop'][index % 3] as string,
        'training.batch': [10, 20, 50, 100][index % 4] as number,
      },
      seed: 0,
      state: index % 9 === 8 ? ('stopped' as const) : ('finished' as const),
      metric: 'accuracy',
      course: [0.3, 0.4 + 0.4 * share(index, 7), 0.5 + 0.45 * share(index, 7)].slice(
        0,
        index % 9 === 8 ? 2 : 3,
      ),
      seconds: 3,
    })),
  });
}
