/** What a run's schedule comes to in a round: the learning rate of its clients. */
import { learningRateOf } from '../../lib/federation/learning-rate.js';
import type { RunSettings } from '../../lib/settings/table.js';

/** The learning rate of a round, by the run's schedule. */
export function roundLearningRate(
  { training, federation }: RunSettings,
  { round, clients }: { readonly round: number; readonly clients: readonly number[] },
): number {
  const { learningRate, learningRateDecay = 1, warmUpRounds = 0, scaleLearningRate = false } = training;
  return learningRateOf(
    { base: learningRate, decay: learningRateDecay, warmUpRounds, scaleWithClients: scaleLearningRate },
    { round, rounds: federation.rounds, clients: clients.length },
  );
}
