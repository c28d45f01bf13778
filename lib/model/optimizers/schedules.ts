/** Learning rates that change from step to step as Keras' schedules do: each is a factor on the learning rate. */
import type { KerasObject, KerasSettings } from '../keras/keras-settings.js';
import { flagOff, type LayerSetting, numberWhere, numberWithin, setting } from '../layers/settings.js';

/** A schedule as data; `name` is its class in Keras. */
export type StepSchedule =
  | {
      readonly name: 'ExponentialDecay' | 'InverseTimeDecay';
      readonly steps: number;
      readonly rate: number;
      readonly staircase?: true;
    }
  | { readonly name: 'PolynomialDecay'; readonly steps: number; readonly end: number; readonly power: number }
  | {
      readonly name: 'CosineDecay';
      readonly steps: number;
      readonly end: number;
      readonly warmUp?: { readonly steps: number; readonly start: number };
    }
  | {
      readonly name: 'CosineDecayRestarts';
      readonly steps: number;
      readonly end: number;
      /** How many times as long as the period before each one is, and how many times as high. */
      readonly longer: number;
      readonly higher: number;
    }
  | {
      readonly name: 'PiecewiseConstantDecay';
      readonly boundaries: readonly number[];
      readonly factors: readonly number[];
    };

/** A learning rate, and how it goes on. */
interface ScheduledRate {
  readonly learningRate: number;
  readonly schedule: StepSchedule;
}

/** What the learning rate is multiplied by in step `step` (from 1). */
export function scheduleFactor(schedule: StepSchedule, step: number): number {
  const done = step - 1;
  switch (schedule.name) {
    case 'ExponentialDecay':
      return schedule.rate ** decayed(schedule, done);
    case 'InverseTimeDecay':
      return 1 / (1 + schedule.rate * decayed(schedule, done));
    case 'PolynomialDecay': {
      const { steps, end, power } = schedule;
      return (1 - end) * (1 - Math.min(done, steps) / steps) ** power + end;
    }
    case 'CosineDecay': {
      const { steps, end, warmUp = { steps: 0, start: 1 } } = schedule;
      if (done < warmUp.steps) return warmUp.start + ((1 - warmUp.start) * done) / warmUp.steps;
      const completed = Math.min(done - warmUp.steps, steps) / steps;
      return cosine(completed, end);
    }
    // Loshchilov and Hutter 2017, arXiv 1608.03983.
    case 'CosineDecayRestarts': {
      const { steps, end, longer, higher } = schedule;
      let [into, length, height] = [done, steps, 1];
      while (into >= length) {
        into -= length;
        length *= longer;
        height *= higher;
      }
      return cosine(into / length, end, height);
    }
    case 'PiecewiseConstantDecay': {
      const at = schedule.boundaries.findIndex((boundary) => done <= boundary);
      return schedule.factors.at(at) as number;
    }
  }
}

/** From `height` down to `end` while a share from 0 to 1 is completed; `height` is that above an end of 0. */
const cosine = (completed: number, end: number, height = 1): number =>
  ((1 - end) * height * (1 + Math.cos(Math.PI * completed))) / 2 + end;

function decayed(
  { steps, staircase }: { readonly steps: number; readonly staircase?: true },
  done: number,
): number {
  return staircase === true ? Math.floor(done / steps) : done / steps;
}

const numberThat = (expected: string, isIn: (value: number) => boolean) => (key: string, fallback?: number) =>
  numberWithin({ keys: [key], expected, isIn, ...(fallback === undefined ? {} : { fallback }) });
const atLeast0 = numberThat('a number of at least 0', (value) => value >= 0);
const above0 = numberThat('a number above 0', (value) => value > 0);
const atLeast1 = numberThat('a number of at least 1', (value) => value >= 1);
const initial = above0('initial_learning_rate');
const steps = above0('decay_steps');

/** What Keras' JSON of each class comes to. */
const READERS: Readonly<Record<string, (settings: KerasSettings) => ScheduledRate>> = {
  ExponentialDecay: (settings) => readDecay('ExponentialDecay', settings),
  InverseTimeDecay: (settings) => readDecay('InverseTimeDecay', settings),
  PolynomialDecay(settings) {
    const learningRate = initial.read(settings);
    settings.only('cycle', false);
    const end = atLeast0('end_learning_rate', 1e-4).read(settings) / learningRate;
    const power = above0('power').read(settings);
    return { learningRate, schedule: { name: 'PolynomialDecay', steps: steps.read(settings), end, power } };
  },
  CosineDecay(settings) {
    const start = atLeast0('initial_learning_rate').read(settings);
    const target = atLeast0('warmup_target', start).read(settings);
    const warmUpSteps = atLeast0('warmup_steps', 0).read(settings);
    const schedule = {
      name: 'CosineDecay',
      steps: steps.read(settings),
      end: atLeast0('alpha', 0).read(settings),
    } as const;
    // Keras warms up only where there is a target.
    if (!settings.has('warmup_target') || warmUpSteps === 0) return { learningRate: target, schedule };
    return {
      learningRate: target,
      schedule: { ...schedule, warmUp: { steps: warmUpSteps, start: start / target } },
    };
  },
  CosineDecayRestarts(settings) {
    const schedule = {
      name: 'CosineDecayRestarts',
      // Periods shorter than a step, or ever shorter ones, would have no end.
      steps: atLeast1('first_decay_steps').read(settings),
      end: atLeast0('alpha', 0).read(settings),
      longer: atLeast1('t_mul', 2).read(settings),
      higher: above0('m_mul', 1).read(settings),
    } as const;
    return { learningRate: initial.read(settings), schedule };
  },
  PiecewiseConstantDecay(settings) {
    const boundaries = numbers('boundaries').read(settings);
    const values = numbers('values').read(settings);
    const [learningRate = 0] = values;
    const factors = values.map((value) => value / learningRate);
    return { learningRate, schedule: { name: 'PiecewiseConstantDecay', boundaries, factors } };
  },
};

/** The schedules that are obeyed. */
export const SCHEDULE_NAMES: readonly string[] = Object.keys(READERS);

/** The learning rate and its schedule out of Keras' JSON; undefined for a class that is not one of ours. */
export function readSchedule(
  { class_name: className }: KerasObject,
  settings: KerasSettings,
): ScheduledRate | undefined {
  const read = Object.hasOwn(READERS, className) ? READERS[className] : undefined;
  if (read === undefined) return undefined;
  const found = read(settings);
  settings.requireAllRead();
  return found;
}

function readDecay(name: 'ExponentialDecay' | 'InverseTimeDecay', settings: KerasSettings): ScheduledRate {
  const staircase = flagOff('staircase').read(settings);
  const schedule = { name, steps: steps.read(settings), rate: above0('decay_rate').read(settings) };
  return {
    learningRate: initial.read(settings),
    schedule: staircase ? { ...schedule, staircase } : schedule,
  };
}

function numbers(key: string): LayerSetting<readonly number[]> {
  const isNumber = numberWhere((value) => value > 0);
  return setting<readonly number[]>({
    keys: [key],
    expected: 'a list of numbers above 0',
    parse: (value) =>
      Array.isArray(value) && value.every((each) => isNumber(each) !== undefined) ? value : undefined,
  });
}
