/** What the fault simulator disturbs: whole runs and stages by hand, each with the states that it may begin from and its undisturbed end. */
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTinyDataset } from '../datasets.js';
import { type Operation, runSession, type Shim, signalGroup, stopGroup } from './session.js';
import { isHidden, readTree, type VolumeTree } from './volume-tree.js';

/** A job: its command, on a directory that holds what another one has left. */
interface JobPlan {
  /** How often it is drawn, among the others. */
  readonly weight: number;
  readonly args: (volume: string, data: string) => readonly string[];
  /** The job whose end it begins from; without one, from nothing. */
  readonly after?: string;
  /** A file that is taken away before it begins. */
  readonly without?: string;
  /** The whole job by one command: what lies on the volume decides what is left to do. */
  readonly isRun?: true;
  /** Begun again, it starts over. */
  readonly startsOver?: true;
  /** Its bytes follow from a secret that the first session draws. */
  readonly isPrivate?: true;
}

const SMALL = ['--model', 'mlp', '--hidden', '16', '--batch', '20', '--threads', '1'];
const ONE_STEP = ['--local-steps', '1'];
const NOISE = ['--clients', '2', '--rounds', '1', '--dp-clip', '0.5', '--dp-noise', '4', ...ONE_STEP];
const SCAFFOLD = [
  ...['--clients', '3', '--fraction', '0.67', '--rounds', '2', '--epochs', '1'],
  ...['--strategy', 'scaffold', '--optimizer', 'sgd', '--momentum', '0', '--learning-rate', '0.05'],
];
const SIMULATED = [
  ...['--simulate', '--clients', '3', '--rounds', '2', '--strategy', 'fedavgm'],
  ...ONE_STEP,
];

const run =
  (...flags: readonly string[]): JobPlan['args'] =>
  (volume, data) => ['run', '--volume', volume, '--data', data, ...SMALL, '--json', ...flags];

const train =
  (client: number): JobPlan['args'] =>
  (volume) => [
    ...['train', '--data', join(volume, `data/${client}.npz`), '--init', join(volume, 'global.h5')],
    ...['--out', join(volume, `updates/${client}.h5`), '--client', `${client}`],
    ...['--epochs', '1', '--batch', '20', '--threads', '1'],
  ];

const PLANS = {
  run: { weight: 5, isRun: true, args: run('--clients', '2', '--rounds', '1', '--jobs', '1', ...ONE_STEP) },
  rounds: { weight: 2, isRun: true, args: run('--jobs', '2', ...SCAFFOLD) },
  simulated: { weight: 4, isRun: true, args: run('--jobs', '1', ...SIMULATED) },
  private: { weight: 2, isRun: true, isPrivate: true, args: run('--jobs', '1', ...NOISE) },
  'private-simulated': {
    weight: 2,
    isRun: true,
    isPrivate: true,
    args: run('--simulate', '--jobs', '1', ...NOISE),
  },
  fresh: {
    ...{ weight: 2, isRun: true, startsOver: true, after: 'simulated' },
    args: run('--seed', '1', '--fresh', '--jobs', '1', ...SIMULATED),
  },
  split: {
    weight: 4,
    args: (volume, data) => ['split', '--data', data, '--clients', '2', '--out', join(volume, 'data')],
  },
  init: {
    ...{ weight: 2, after: 'split' },
    args: (volume) => [
      ...['init', '--data', join(volume, 'data/0.npz'), '--out', join(volume, 'global.h5')],
      ...['--model', 'mlp', '--hidden', '16'],
    ],
  },
  train: { weight: 3, after: 'init', args: train(0) },
  'train-another': { weight: 1, after: 'train', args: train(1) },
  aggregate: {
    ...{ weight: 5, after: 'train-another' },
    args: (volume) => [
      ...['aggregate', '--dir', join(volume, 'updates'), '--parent', join(volume, 'global.h5')],
      ...['--out', join(volume, 'aggregated-model.h5')],
    ],
  },
  evaluate: {
    ...{ weight: 2, after: 'aggregate' },
    args: (volume) => [
      ...[
        'evaluate',
        '--model',
        join(volume, 'aggregated-model.h5'),
        '--data',
        join(volume, 'data/test.npz'),
      ],
      ...['--out', join(volume, 'accuracy.json')],
    ],
  },
  report: {
    ...{ weight: 2, after: 'run', without: 'report.html' },
    args: (volume) => ['report', '--volume', volume],
  },
} satisfies Readonly<Record<string, JobPlan>>;

export type JobName = keyof typeof PLANS;

/** With how often each is drawn. */
export const JOBS: readonly { readonly name: JobName; readonly weight: number }[] = (
  Object.keys(PLANS) as JobName[]
).map((name) => ({ name, weight: PLANS[name].weight }));

/** A state that a job may begin from. */
interface JobStart {
  readonly directory: string;
  /** Operations of the undisturbed job that lie before it. */
  readonly operations: number;
}

/** A job that has been done once, undisturbed. */
export interface Job extends Pick<JobPlan, 'isRun' | 'startsOver' | 'isPrivate'> {
  readonly name: JobName;
  /** The command on a volume. */
  args(volume: string): readonly string[];
  /** From nothing done to all done. */
  readonly starts: readonly JobStart[];
  readonly operations: readonly Operation[];
  readonly end: VolumeTree;
  /** Each content that a file with this name had at any time. */
  readonly versions: ReadonlyMap<string, ReadonlySet<string>>;
}

/** States between the first and the last that are kept, at most. */
const MOST_STATES = 12;
/** What is visible changes by renaming: so many times the undisturbed command is halted for a copy of its state. */
const MOST_HALTS = 60;

/** The jobs by name: each is done undisturbed when it is first asked for. */
export function openJobs(shim: Shim, directory: string): (name: JobName) => Promise<Job> {
  const jobs = new Map<JobName, Promise<Job>>();
  const data = mkdir(directory, { recursive: true }).then(() => writeTinyDataset(directory, 120));
  const open = (name: JobName): Promise<Job> => {
    const job = jobs.get(name) ?? prepare(name);
    jobs.set(name, job);
    return job;
  };
  const prepare = async (name: JobName): Promise<Job> => {
    const plan: JobPlan = PLANS[name];
    const file = await data;
    const own = join(directory, name);
    const volume = join(own, 'volume');
    await mkdir(volume, { recursive: true });
    if (plan.after !== undefined)
      await copyState(lastOf((await open(plan.after as JobName)).starts).directory, volume);
    if (plan.without !== undefined) await rm(join(volume, plan.without));
    const states: string[] = [];
    const keep = async () => {
      const state = join(own, `state-${states.length}`);
      await copyState(volume, state);
      states.push(state);
    };
    await keep();
    const { exitCode, stderr, operations } = await runSession(shim, {
      args: plan.args(volume, file),
      root: volume,
      rules: [{ at: 1, action: 'halt', kinds: ['rename'], times: MOST_HALTS }],
      async onHalt({ first }) {
        await stopGroup(first);
        await keep();
        signalGroup(first, 'SIGCONT');
      },
    });
    if (exitCode !== 0) throw new Error(`${name} does not succeed undisturbed: ${exitCode}\n${stderr}`);
    await keep();
    const end = await readTree(volume);
    const renames = operations.filter(({ rule }) => rule >= 0).map(({ number }) => number);
    const all = states.map((state, at) => ({
      directory: state,
      operations: at === 0 ? 0 : (renames[at - 1] ?? operations.length),
    }));
    return {
      ...plan,
      name,
      args: (volume) => plan.args(volume, file),
      operations,
      end,
      versions: await versionsIn(states),
      // Stages start fast, and redo their work: from the beginning all of it is reached.
      starts: plan.isRun ? thinned(all) : [all[0], all.at(-1)].filter((each) => each !== undefined),
    };
  };
  return open;
}

/** Copies a state, with the times of its files. */
export async function copyState(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, preserveTimestamps: true });
}

const lastOf = (starts: readonly JobStart[]): JobStart => starts.at(-1) as JobStart;

function thinned(states: readonly JobStart[]): readonly JobStart[] {
  const step = Math.max(1, (states.length - 1) / (MOST_STATES + 1));
  const kept = new Set<JobStart>();
  for (let at = 0; at < states.length - 1; at += step) kept.add(states[Math.floor(at)] as JobStart);
  return [...kept, lastOf(states)];
}

async function versionsIn(states: readonly string[]): Promise<Job['versions']> {
  const versions = new Map<string, Set<string>>();
  for (const state of states) {
    for (const [path, { meaning }] of await readTree(state)) {
      if (!isHidden(path)) versions.set(path, (versions.get(path) ?? new Set()).add(meaning));
    }
  }
  return versions;
}
