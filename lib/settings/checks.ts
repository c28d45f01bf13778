/** Settings that do not go together: each rule is one function, and says what is wrong in the words of whoever asks. */
import { UsageError } from '../core/errors.js';
import type { LocalTraining } from '../federation/client-side.js';
import { type Selection, selectedCount, shareOf } from '../federation/participation.js';
import { countNoiseFor, updateNoise } from '../federation/privacy/adaptive-clip.js';
import { type Quorum, requiredUpdates } from '../federation/quorum.js';
import {
  adaptiveClip,
  clientSide,
  FEDAVG,
  fewestUpdates,
  type PrivacySettings,
  type StrategyName,
  type StrategySettings,
  strategies,
  strategyModule,
  valuesOf,
} from '../federation/strategies/strategy-settings.js';
import { type AskedSettings, completeSettings } from './complete.js';
import { modelFile } from './parts/data.js';
import { CLIP, QUANTILE, STRATEGY, STRATEGY_NAME } from './parts/strategy.js';
import { COMPILED, OPTIMIZER_SETTINGS } from './parts/training.js';
import { type Naming, valueAt } from './setting.js';
import type { RunSettings } from './table.js';

/** Who takes part, as asked for. */
export interface ParticipationAsked {
  readonly quorum: Quorum | undefined;
  /** Without a floor, a fraction that comes to nobody is a mistake. */
  readonly hasFloor: boolean;
  readonly named: Naming;
}

/** Whether a round selects anybody, and its quorum can be met. @throws {UsageError} with the numbers */
export function checkParticipation(
  selection: Selection,
  { quorum, hasFloor, named }: ParticipationAsked,
): void {
  const { clients, fraction, minClients } = selection;
  const share = `${named('federation.fraction')} ${fraction}`;
  const fewest = named('federation.minClients');
  if (minClients > clients) {
    throw new UsageError(
      `${fewest} ${minClients} are more than the ${clients} clients of ${named('federation.clients')}.`,
    );
  }
  if (!hasFloor && shareOf(clients, fraction) === 0) {
    throw new UsageError(
      `${share} selects none of ${clients} clients: expected at least ${0.5 / clients}, ` +
        `or ${fewest} 1 for one client a round.`,
    );
  }
  const selected = selectedCount(selection);
  if (quorum !== undefined && requiredUpdates(quorum, selected) > selected) {
    throw new UsageError(
      `${named('tolerance.quorum')} ${requiredUpdates(quorum, selected)} is more than the ${selected} of ${clients} ` +
        `clients that a round selects (${share}, ${fewest} ${minClients}).`,
    );
  }
}

/** Whether the rounds can end as asked for. @throws {UsageError} with the numbers */
export function checkRounds({ training, federation }: RunSettings, named: Naming): void {
  const { rounds, patience } = federation;
  if (patience !== undefined && patience >= rounds) {
    throw new UsageError(
      `${named('federation.patience')} ${patience} can never end a run of ${named('federation.rounds')} ${rounds}: ` +
        `expected more than ${patience} rounds.`,
    );
  }
  const { warmUpRounds = 0 } = training;
  if (warmUpRounds > 0 && warmUpRounds >= rounds) {
    throw new UsageError(
      `${named('training.warmUpRounds')} ${warmUpRounds} leaves none of ${named('federation.rounds')} ${rounds} at the ` +
        `full learning rate: at most ${rounds - 1} can warm up.`,
    );
  }
}

/** Whether there is a model whose optimizer can be meant, and its rate need not be known. @throws {UsageError} */
export function checkCompiled({ model, training }: RunSettings, named: Naming): void {
  const { optimizer, learningRate } = training;
  if (optimizer !== COMPILED) return;
  const chosen = `${named('training.optimizer')} ${COMPILED}`;
  const file = modelFile(model);
  if (file === undefined) {
    throw new UsageError(
      `${chosen} takes the optimizer of a compiled model: name the model with ${named('model.init')}.`,
    );
  }
  const changing = SCHEDULE.find((place) => valueAt({ training }, place) !== undefined);
  if (learningRate !== undefined || changing === undefined) return;
  throw new UsageError(
    `${named(changing)} changes the learning rate from round to round, and that of ${chosen} stands in ${file} ` +
      `alone: give ${named('training.learningRate')}.`,
  );
}

/** Settings by which the learning rate follows from that of the run. */
const SCHEDULE = ['training.learningRateDecay', 'training.warmUpRounds', 'training.scaleLearningRate'];

/** Whether a strategy's values make sense, alone and with privacy. @throws {UsageError} with the numbers */
export function checkStrategy(settings: StrategySettings, named: Naming): void {
  const { name, privacy, clipNorm } = settings;
  const module = strategyModule(name);
  const values = valuesOf(settings);
  const problem = module.problem?.(values);
  if (problem !== undefined) {
    const [parameter, why] = problem;
    throw new UsageError(`${named(`strategy.${parameter}`)} ${values[parameter]} ${why}.`);
  }
  const bound = privacy !== undefined ? CLIP : clipNorm !== undefined ? 'strategy.clipNorm' : undefined;
  if (bound !== undefined && clientSide(name) !== undefined) {
    const extras = Object.keys(clientSide(name)?.extras ?? {}).join(', ');
    throw new UsageError(
      `${named(bound)} does not go with ${named(STRATEGY_NAME)} ${name}: its updates carry ${extras} beside weights, which ` +
        'nothing clips.',
    );
  }
  if (privacy === undefined || module.kind === 'averaging') return;
  const averaging = strategies
    .filter((each) => each.kind === 'averaging' && each.client === undefined)
    .map((each) => each.name);
  throw new UsageError(
    `${named(CLIP)} does not go with ${named(STRATEGY_NAME)} ${name}: how much one client can move its result has no ` +
      `bound that noise could hide; private are ${averaging.join(', ')}.`,
  );
}

/** Whether the clients' training goes with the strategy. @throws {UsageError} with the values */
export function checkTraining(name: StrategyName, training: LocalTraining, named: Naming): void {
  const problem = clientSide(name)?.problem(training);
  if (problem === undefined) return;
  const [setting, why] = problem;
  const { optimizer, proximal } = training;
  const values: Readonly<Record<string, unknown>> = { ...optimizer, optimizer: optimizer.kind, proximal };
  const value = values[setting];
  // What no setting says, a compiled model does.
  const found = typeof value === 'object' ? setting : `${named(`training.${setting}`)} ${value}`;
  throw new UsageError(`${named(STRATEGY_NAME)} ${name} does not go with ${found}: ${why}.`);
}

/** Whether the clients of a round are enough for the strategy, and for privacy. @throws {UsageError} with the numbers */
export function checkClients(
  settings: StrategySettings,
  { selected, clients }: { readonly selected: number; readonly clients: number },
  named: Naming,
): void {
  const { updates, formula } = fewestUpdates(settings);
  if (selected < updates) {
    const values = Object.entries(parametersOf(settings)).map(
      ([name, value]) => `${named(`strategy.${name}`)} ${value}`,
    );
    throw new UsageError(
      `${named(STRATEGY_NAME)} ${settings.name} with ${values.join(' and ')}${formula === undefined ? '' : ` (${formula})`} ` +
        `needs at least ${updates} clients in a round, found ${selected}.`,
    );
  }
  const { privacy } = settings;
  if (privacy !== undefined && privacy.delta * clients >= 1) {
    throw new UsageError(
      `${named('strategy.privacy.delta')} ${privacy.delta} of ${clients} clients gives no privacy: publishing all data of one ` +
        `client would satisfy it; expected less than ${1 / clients}.`,
    );
  }
  const adaptive = adaptiveClip(privacy);
  if (privacy === undefined || adaptive === undefined) return;
  const countNoise = countNoiseFor(adaptive, selected);
  if (updateNoise(privacy.noise, countNoise) === undefined) {
    throw new UsageError(
      `${named(QUANTILE)} tells how many updates are within the clip: with ` +
        `${named('strategy.privacy.noise')} ${privacy.noise} that takes ${named('strategy.privacy.countNoise')} above ` +
        `${privacy.noise / 2}, found ${countNoise} for ${selected} clients in a round.`,
    );
  }
}

/** Whether noise comes with the clip. @throws {UsageError} where it does not */
export function checkPrivacy(
  privacy: Partial<PrivacySettings> | undefined,
  { named, takesEpsilon }: { readonly named: Naming; readonly takesEpsilon: boolean },
): void {
  if (privacy?.clip === undefined || privacy.noise !== undefined) return;
  const noise = `${named('strategy.privacy.noise')}${takesEpsilon ? ` (or ${named('strategy.privacy.epsilon')})` : ''}`;
  throw new UsageError(
    `Differential privacy takes ${named(CLIP)} and ${noise} together, found ${named(CLIP)} alone.`,
  );
}

/** What a strategy is told of the clients' training. */
export function trainingFacts({ training }: Pick<RunSettings, 'training'>): LocalTraining {
  const { optimizer: kind, learningRate = 0, momentum = 0, proximal = 0 } = training;
  const others = OPTIMIZER_SETTINGS.filter(
    (name) => !['optimizer', 'learningRate', 'momentum'].includes(name),
  );
  const given = Object.fromEntries(others.map((name) => [name, training[name]]));
  const optimizer = { kind, learningRate, ...given };
  return { optimizer: { ...optimizer, ...(kind === 'sgd' ? { momentum } : {}) }, proximal };
}

/** The strategy of an aggregation. @throws {UsageError} when what is asked for does not go together */
export function strategySettings(asked: AskedSettings): StrategySettings {
  const { strategy = FEDAVG } = completeSettings([STRATEGY], asked);
  checkPrivacy(strategy.privacy, { named: asked.named, takesEpsilon: false });
  checkStrategy(strategy, asked.named);
  return strategy;
}

/** The values of a strategy's own parameters. */
function parametersOf(settings: StrategySettings): Readonly<Record<string, unknown>> {
  const { parameters } = strategyModule(settings.name);
  const values = valuesOf(settings);
  return Object.fromEntries(
    Object.keys(parameters).flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
  );
}
