/** The options of every program that trains: the model, and what a client does with it in a round. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../core/errors.js';
import type { LearningRateSchedule } from '../federation/learning-rate.js';
import type { BatchSize, LocalWork } from '../federation/local-work.js';
import { MODEL_NAMES } from '../model/model-zoo.js';
import { integerOption, numberOption } from './options.js';

/** Local epochs where neither epochs nor steps are asked for. */
const DEFAULT_EPOCHS = 2;

/** Keras' defaults. */
const DEFAULT_LEARNING_RATE = { adam: 0.001, sgd: 0.01 } as const;

/** What `addTrainingOptions` parses to. */
export interface TrainingFlags {
  readonly epochs?: number;
  readonly localSteps?: number;
  readonly batch: BatchSize;
  readonly optimizer: 'adam' | 'sgd';
  readonly learningRate?: number;
  readonly momentum: number;
  readonly proximal: number;
}

/** What `addScheduleOptions` parses to. */
export interface ScheduleFlags {
  readonly learningRateDecay: LearningRateSchedule['decay'];
  readonly warmUpRounds: number;
  readonly scaleLearningRate?: true;
}

/** `--model`. */
export function modelOption(description = 'the model'): Option {
  return new Option('--model <name>', description).choices(MODEL_NAMES).default('cnn');
}

/** Adds what a client does in a round: epochs or steps, batch, optimizer, proximal term. */
export function addTrainingOptions(command: Command): Command {
  return command
    .option(
      '--epochs <E>',
      `local epochs: passes over the shard (default: ${DEFAULT_EPOCHS})`,
      integerOption({ min: 1 }),
    )
    .option(
      '--local-steps <n>',
      'steps instead of epochs, through shuffled epochs in order; 1 is synchronous data parallelism',
      integerOption({ min: 1 }),
    )
    .option('--batch <B>', 'examples per step; all takes the whole shard in one step', batchOption, 100)
    .addOption(
      new Option('--optimizer <name>', "the clients' optimizer").choices(['adam', 'sgd']).default('adam'),
    )
    .option(
      '--learning-rate <eta>',
      "the clients' learning rate (default: 0.001 with adam, 0.01 with sgd)",
      numberOption({ min: 0 }),
    )
    .option('--momentum <share>', 'momentum of sgd', numberOption({ min: 0, max: 1 }), 0.9)
    .option(
      '--proximal <mu>',
      'FedProx: how strongly weights are held to the global model (0: not at all)',
      numberOption({ min: 0 }),
      0,
    );
}

/** Adds how the learning rate changes from round to round. */
export function addScheduleOptions(command: Command): Command {
  return command
    .option(
      '--learning-rate-decay <factor>',
      'what the learning rate is multiplied by after each round; or cosine, to fall to 0 over the run',
      decayOption,
      1,
    )
    .option(
      '--warm-up-rounds <count>',
      'rounds in which the learning rate rises to its full value',
      integerOption(),
      0,
    )
    .option(
      '--scale-learning-rate',
      "multiply the learning rate by the number of a round's clients (the linear scaling rule)",
    );
}

/** The work that the flags ask for. @throws {UsageError} when both epochs and steps are asked for */
export function localWorkOf({ epochs, localSteps }: Pick<TrainingFlags, 'epochs' | 'localSteps'>): LocalWork {
  if (localSteps === undefined) return { epochs: epochs ?? DEFAULT_EPOCHS };
  if (epochs === undefined) return { localSteps };
  throw new UsageError(
    `--epochs ${epochs} and --local-steps ${localSteps} contradict each other: give one of them.`,
  );
}

/** The rate asked for, or the default of the optimizer. */
export function learningRateOfFlags({
  optimizer,
  learningRate = DEFAULT_LEARNING_RATE[optimizer],
}: Pick<TrainingFlags, 'optimizer' | 'learningRate'>): number {
  return learningRate;
}

/** The optimizer that the flags ask for, with Keras' defaults. */
export function optimizerOf(flags: Pick<TrainingFlags, 'optimizer' | 'learningRate' | 'momentum'>) {
  const learningRate = learningRateOfFlags(flags);
  if (flags.optimizer === 'sgd') return { kind: 'sgd', learningRate, momentum: flags.momentum } as const;
  return { kind: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;
}

/** The schedule that the flags ask for. @throws {UsageError} when the warm-up leaves no round at the full rate */
export function scheduleOf(
  flags: ScheduleFlags & TrainingFlags & { readonly rounds: number },
): LearningRateSchedule {
  const { warmUpRounds, rounds, learningRateDecay: decay } = flags;
  if (warmUpRounds > 0 && warmUpRounds >= rounds) {
    throw new UsageError(
      `--warm-up-rounds ${warmUpRounds} leaves none of --rounds ${rounds} at the full learning rate: ` +
        `at most ${rounds - 1} can warm up.`,
    );
  }
  const scaleWithClients = flags.scaleLearningRate ?? false;
  return { base: learningRateOfFlags(flags), decay, warmUpRounds, scaleWithClients };
}

function batchOption(text: string): BatchSize {
  if (text === 'all') return 'all';
  try {
    return integerOption({ min: 1 })(text);
  } catch {
    throw new InvalidArgumentError(`Expected a whole number of at least 1, or all, found "${text}".`);
  }
}

function decayOption(text: string): LearningRateSchedule['decay'] {
  if (text === 'cosine') return 'cosine';
  const factor = Number(text);
  if (text.trim() === '' || !(factor > 0 && factor <= 1)) {
    throw new InvalidArgumentError(`Expected a factor above 0 and up to 1, or cosine, found "${text}".`);
  }
  return factor;
}
