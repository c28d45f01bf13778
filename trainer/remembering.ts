/** What a strategy asks of a client beside training, and what server and client remember of the rounds before. */
import { UsageError } from '../lib/core/errors.js';
import type { Weights } from '../lib/core/weights.js';
import type { StartingOptimizer } from '../lib/engine/starting-optimizer.js';
import { type ClientMemory, type ClientSide, gradientCorrection } from '../lib/federation/client-side.js';
import { clientSide, type StrategyName } from '../lib/federation/strategies/strategy-settings.js';
import { readClientMemory } from '../lib/formats/client-memory.js';
import { checkTraining } from '../lib/settings/checks.js';
import { STRATEGY_NAME } from '../lib/settings/parts/strategy.js';
import type { Naming } from '../lib/settings/setting.js';
import type { StartingModel } from './initial-model.js';
import type { TrainRequest } from './train-worker.js';

/** What a strategy asks of this client, and what it goes on from. */
export interface Remembering {
  readonly side: ClientSide;
  readonly memory: ClientMemory;
  readonly correction: Weights | undefined;
}

/** What a client starts its round with. */
export interface RoundStart
  extends Pick<StartingModel, 'model' | 'parent'>,
    Pick<StartingOptimizer, 'optimizer'> {
  readonly named: Naming;
}

/** @throws {UsageError} when the strategy does not go with the training, or what its clients remember is not named */
export async function rememberFor(
  request: TrainRequest & { readonly strategy: StrategyName },
  { model, parent, optimizer, named }: RoundStart,
): Promise<Remembering | undefined> {
  const { strategy: name, client, round, init = '', volume } = request;
  const side = clientSide(name);
  if (side === undefined) return undefined;
  checkTraining(name, { optimizer, proximal: request.training.proximal ?? 0 }, named);
  if (side.keeps !== undefined && round > 1 && volume === undefined) {
    throw new UsageError(
      `${named(STRATEGY_NAME)} ${name} needs the state that server and client keep between rounds: name the run's volume.`,
    );
  }
  const { weights } = model;
  const global = { file: init, weights, sha256: parent };
  const memory = await readClientMemory({ strategy: name, side, client, round, global, volume });
  return { side, memory, correction: gradientCorrection(side, { like: weights, memory }) };
}
