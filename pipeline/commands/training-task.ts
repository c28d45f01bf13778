/** What a run's settings come to for its stages: each client's work, a round's learning rate, the arguments that say so. */
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

/** The trainer's flags for what stands in the settings. */
export function trainingArguments({ training }: RunSettings, learningRate: number): readonly string[] {
  const work = localWork(training);
  return [
    ...(work.localSteps === undefined
      ? ['--epochs', `${work.epochs}`]
      : ['--local-steps', `${work.localSteps}`]),
    ...['--batch', `${training.batch}`],
    ...['--optimizer', training.optimizer],
    ...['--learning-rate', `${learningRate}`],
    ...['--momentum', `${training.momentum}`],
    ...['--proximal', `${training.proximal ?? 0}`],
  ];
}

/** The arguments that choose the run's engine. */
export function engineArguments({ name, backend }: RunSettings['engine']): readonly string[] {
  return ['--engine', name, ...(backend === undefined ? [] : ['--backend', backend])];
}
