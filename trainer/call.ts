/** The trainer as a call: what is asked for → one client's update in a file. The program and the library make it. */

import type { OptimizerFlags } from '../lib/engine/starting-optimizer.js';
import type { StrategyName } from '../lib/federation/strategies/strategy-settings.js';
import type { TrainResult } from '../lib/formats/results.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { MODEL, SEED } from '../lib/settings/parts/data.js';
import { ENGINE, engineAsked } from '../lib/settings/parts/engine.js';
import { TRAINING } from '../lib/settings/parts/training.js';
import type { TrainContext } from './train.js';
import { type ClientChoice, type ClientFiles, chooseClient } from './which-client.js';

/** The settings that a training takes. */
export const TRAIN_PARTS = [SEED, MODEL, ENGINE, TRAINING] as const;

/** Whom to train, from what, and where the update goes. */
export interface TrainAsked extends ClientFiles, ClientChoice {
  readonly asked: AskedSettings;
  readonly classes?: number | undefined;
  readonly round: number;
  readonly threads: number;
  /** Where it asks more of clients than training. */
  readonly strategy?: StrategyName | undefined;
  /** The run's volume, for a strategy whose clients keep state between rounds. */
  readonly volume?: string | undefined;
}

/** Trains. @throws {DataError} as `trainClient` does */
export async function callTrainer(
  { asked, ...given }: TrainAsked,
  context: TrainContext,
): Promise<TrainResult> {
  const { client, clients, clientIndex, ...files } = given;
  const { out, ...request } = chooseClient(files, { client, clients, clientIndex });
  const { seed, model, training } = completeSettings(TRAIN_PARTS, asked);
  const engine = engineAsked(asked);
  const optimizer = optimizerAsked(asked);
  // What trains is loaded once the arguments are right: help and refusals are quick.
  const { trainClient } = await import('./train.js');
  return trainClient({ ...request, seed, model: model.name, training, optimizer, engine }, out, context);
}

/** What is asked for of the optimizer: a model may say what is not. */
function optimizerAsked({ given }: AskedSettings): OptimizerFlags {
  const names = ['optimizer', 'learningRate', 'momentum'] as const;
  const asked = names.flatMap((name) => {
    const value = given[`training.${name}`];
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(asked);
}
