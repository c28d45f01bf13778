/** The settings of a whole run: completed, then checked by every rule. */
import { UsageError } from '../core/errors.js';
import { selectedCount } from '../federation/participation.js';
import { noiseFor } from '../federation/privacy/accountant.js';
import { parseQuorum, type Quorum } from '../federation/quorum.js';
import { FEDAVG } from '../federation/strategies/strategy-settings.js';
import {
  checkClients,
  checkCompiled,
  checkParticipation,
  checkPrivacy,
  checkRounds,
  checkStrategy,
  checkTraining,
  trainingFacts,
} from './checks.js';
import { type AskedSettings, completeSettings, valuesWithDefaults } from './complete.js';
import { engineChoice } from './parts/engine.js';
import { TOLERANCE } from './parts/federation.js';
import { COMPILED, checkOptimizer } from './parts/training.js';
import { RUN_PARTS, type RunSettings } from './table.js';

/** The settings of a run. @throws {UsageError} when what is asked for does not go together */
export function runSettings(asked: AskedSettings): RunSettings {
  const { named } = asked;
  const settings = completeSettings(RUN_PARTS, withCompiled(withNoise(asked)));
  const { engine, federation } = settings;
  engineChoice(engine.name, engine.backend);
  const { quorum } = toleranceAsked(asked);
  const hasFloor = asked.given['federation.minClients'] !== undefined;
  checkOptimizer(settings.training, named);
  checkParticipation(federation, { quorum, hasFloor, named });
  checkRounds(settings, named);
  const strategy = settings.strategy ?? FEDAVG;
  checkPrivacy(strategy.privacy, { named, takesEpsilon: true });
  checkStrategy(strategy, named);
  const { optimizer } = settings.training;
  checkCompiled(settings, named);
  // What a model was compiled with, its trainers judge.
  if (optimizer !== COMPILED) checkTraining(strategy.name, trainingFacts(settings), named);
  checkClients(strategy, { selected: selectedCount(federation), clients: federation.clients }, named);
  const { strategy: _, ...others } = settings;
  // Nothing is what says FedAvg, so that a run keeps its id when a strategy appears.
  return Object.keys(strategy).length === 1 && strategy.name === FEDAVG.name ? others : settings;
}

/** Failures that a run tolerates. */
export interface ToleranceAsked {
  /** Updates that a round needs; without it all selected clients have to report. */
  readonly quorum: Quorum | undefined;
  readonly tolerance: { readonly retries: number; readonly deadlineSeconds: number | undefined };
}

/** Which failures a run tolerates. */
export function toleranceAsked({ given }: Pick<AskedSettings, 'given'>): ToleranceAsked {
  const value = valuesWithDefaults(TOLERANCE.settings, given);
  return {
    quorum: parseQuorum(`${value('tolerance.quorum') ?? ''}`),
    tolerance: {
      retries: value('tolerance.retries') as number,
      deadlineSeconds: value('tolerance.roundDeadline') as number | undefined,
    },
  };
}

/** A model that is given brings its optimizer, unless another one is asked for. */
function withCompiled({ given, named }: AskedSettings): AskedSettings {
  const isGiven = ['init', 'config', 'task'].some((name) => given[`model.${name}`] !== undefined);
  const { 'training.optimizer': optimizer = isGiven ? COMPILED : undefined } = given;
  return { given: { ...given, 'training.optimizer': optimizer }, named };
}

/** An ε in place of noise becomes the noise that keeps all rounds within it. @throws {UsageError} where none does */
function withNoise(asked: AskedSettings): AskedSettings {
  const { given, named } = asked;
  const { 'strategy.privacy.epsilon': epsilon, ...others } = given;
  if (typeof epsilon !== 'number' || given['strategy.privacy.clip'] === undefined) return asked;
  // The contradiction with noise is told before any noise is found.
  const { federation, strategy } = completeSettings(RUN_PARTS, asked);
  const delta = strategy?.privacy?.delta as number;
  const { clients: population, rounds } = federation;
  const noise = noiseFor({ participants: selectedCount(federation), population, rounds, epsilon, delta });
  if (noise !== undefined) return { given: { ...others, 'strategy.privacy.noise': noise }, named };
  throw new UsageError(
    `No noise keeps ${rounds} rounds within ${named('strategy.privacy.epsilon')} ${epsilon} at ` +
      `${named('strategy.privacy.delta')} ${delta}: ask for a larger epsilon or delta.`,
  );
}
