/** The options that say what a run is: on this machine and on a cluster the same, and the same settings come of them. */
import type { Command } from 'commander';
import { backendOption, choiceOf, type EngineFlags, engineOption } from '../lib/cli/engine-options.js';
import { integerOption } from '../lib/cli/options.js';
import { addPartitionOptions, type PartitionFlags, partitionOf } from '../lib/cli/partition-options.js';
import { type GivenScale, namedScale, scaleOption } from '../lib/cli/scale-option.js';
import {
  addEpsilonOption,
  addStrategyOptions,
  checkClients,
  checkTraining,
  type StrategyFlags,
  strategyArguments,
  strategyOf,
} from '../lib/cli/strategy-options.js';
import {
  addScheduleOptions,
  addTrainingOptions,
  localWorkOf,
  modelOption,
  optimizerOf,
  type ScheduleFlags,
  scheduleOf,
  type TrainingFlags,
} from '../lib/cli/training-options.js';
import { selectedCount } from '../lib/federation/participation.js';
import { formatScale } from '../lib/federation/pixel-scale.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { addFederationOptions, type FederationFlags, federationOf } from './federation-options.js';

/** What the options parse to. */
export interface SettingsFlags
  extends EngineFlags,
    FederationFlags,
    TrainingFlags,
    ScheduleFlags,
    StrategyFlags,
    PartitionFlags {
  readonly data: string;
  readonly scale?: GivenScale;
  readonly model: string;
  readonly seed: number;
}

/** Adds the options; `data` describes what `--data` takes. */
export function addSettingsOptions(command: Command, data: string): Command {
  command.option('--data <npz>', data, 'digits').addOption(scaleOption()).addOption(modelOption());
  addFederationOptions(command);
  addPartitionOptions(command);
  addScheduleOptions(addTrainingOptions(command)).option(
    '--seed <number>',
    'everything random derives from it',
    integerOption(),
    0,
  );
  return addEpsilonOption(addStrategyOptions(command)).addOption(engineOption()).addOption(backendOption());
}

/** What of the settings the flags alone do not tell. */
interface KnownFacts {
  readonly clients: number;
  /** A name, or an absolute path. */
  readonly dataset: string;
}

/** @throws {UsageError} when options contradict each other */
export function settingsOf(flags: SettingsFlags, { clients, dataset }: KnownFacts): RunSettings {
  const federation = federationOf({ ...flags, clients });
  const selected = selectedCount(federation);
  const rounds = { participants: selected, population: clients, rounds: federation.rounds };
  const { scale } = namedScale(flags.scale);
  const strategy = strategyOf(flags, rounds);
  checkClients(strategy, { selected, clients });
  checkTraining(strategy.name, { optimizer: optimizerOf(flags), proximal: flags.proximal });
  return {
    seed: flags.seed,
    dataset: { name: dataset, ...(scale === undefined ? {} : { scale: formatScale(scale) }) },
    model: { name: flags.model },
    engine: choiceOf(flags),
    training: trainingSettings(flags),
    federation: { ...federation, partition: partitionOf(flags) },
    // What is not asked for is left out, so that a run keeps its id when a new option appears.
    ...(strategyArguments(strategy).length === 0 ? {} : { strategy }),
  };
}

/** What is not asked for is left out here too. */
function trainingSettings(flags: SettingsFlags): RunSettings['training'] {
  const { batch, optimizer, momentum, proximal } = flags;
  const { base, decay, warmUpRounds, scaleWithClients } = scheduleOf(flags);
  return {
    ...localWorkOf(flags),
    batch,
    optimizer,
    learningRate: base,
    ...(decay === 1 ? {} : { learningRateDecay: decay }),
    ...(warmUpRounds === 0 ? {} : { warmUpRounds }),
    ...(scaleWithClients ? { scaleLearningRate: true } : {}),
    momentum,
    ...(proximal === 0 ? {} : { proximal }),
  };
}
