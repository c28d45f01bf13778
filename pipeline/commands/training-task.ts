/** What a run's settings come to for its stages: each client's work, a round's learning rate. */
import { learningRateOf } from '../../lib/federation/learning-rate.js';
import type { LocalWork } from '../../lib/federation/local-work.js';
import type { RunSettings } from '../../lib/formats/run-record.js';

/** Epochs or steps of every client. */
export function localWork({ epochs, localSteps }: RunSettings['training']): LocalWork {
  return localSteps === undefined ? { epochs: epochs ?? 1 } : { localSteps };
}

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
