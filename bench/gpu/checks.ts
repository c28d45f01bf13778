/** What is tried on a machine with a card, one after the other: each is a row of the report, whatever becomes of it. */
import { mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { messageOf } from '../../lib/core/errors.js';
import {
  BACKEND_REGISTRY,
  backendTitle,
  obstacleTo,
  type RegisteredBackend,
} from '../../lib/engine/engine-registry.js';
import type { TrialMessage } from '../../lib/engine/trial-process.js';
import { roundRecordSchema } from '../../lib/formats/run-record.js';
import { availableCores } from '../../lib/system/hardware.js';
import type { Comparison } from '../../test/programs/onnx-device.js';
import { program } from '../section.js';
import type { StepModelName } from '../step-models.js';
import { FailuresError, NotPossibleError, ProgramError, runLimited } from './limited.js';
import { cudaLibraries, findNvidiaCard, findTorch, findVulkan, type Torch, type Vulkan } from './machine.js';
import { MACHINE, nameOf, type Row, WORKS } from './report.js';
import type { TestLine } from './test-lines.js';

/** How much is tried. */
export interface Sizes {
  /** Models, and examples of a step. */
  readonly speeds: readonly (readonly [StepModelName, batch: number])[];
  /** Steps that are timed at most, and seconds after which none begins. */
  readonly steps: number;
  readonly seconds: number;
  /** Of the whole job. */
  readonly model: string;
  readonly clients: number;
  readonly epochs: number;
  readonly batch: number;
  /** Factor on all limits. */
  readonly patience: number;
  /** Names of the comparisons and of the conformance tests that run; all without. */
  readonly comparisons?: string;
  readonly tests?: string;
}

export const FULL: Sizes = {
  speeds: [
    ['cnn', 100],
    ['cnn', 1000],
    ['resnet', 64],
  ],
  ...{ steps: 300, seconds: 4, model: 'cnn', clients: 3, epochs: 2, batch: 100, patience: 1 },
};

/** For a driver in software, which computes an image of the CNN in a second. */
export const TINY: Sizes = {
  speeds: [['dense', 2]],
  ...{ steps: 1, seconds: 0, model: 'mlp', clients: 1, epochs: 1, batch: 10, patience: 4 },
  comparisons: 'the backend|gradients: dense|every operator',
  tests: 'predicts what Keras did: keras2-mlp|predicts what Keras did: keras3-cnn|the driver of a card',
};

/** Where the checks find and leave their files. */
export interface Places {
  /** An npz as `dataset digits` writes them. */
  readonly data: string;
  /** Vulkan's loader, for machines without. */
  readonly loader: string;
  /** A folder for what is made on the way. */
  readonly scratch: string;
}

/** Longest time of each kind of check, in seconds; a card takes a small part of it. */
const LIMITS = { look: 30, works: 60, speed: 45, agrees: 60, conformance: 100, job: 75 };

interface Checks {
  readonly sizes: Sizes;
  readonly places: Places;
  /** Hears each row as it is done. */
  readonly tell: (row: Row) => Promise<void>;
  /** When the last check must be done, by performance.now(). */
  readonly deadlineMs: number;
  /** The checks of these names alone, and what they need; each may take all of the time. */
  readonly only?: RegExp | undefined;
}

/** What a check that ran came to. */
interface Found {
  /** As a table says it. */
  readonly shown: string;
  readonly figures: Readonly<Record<string, unknown>>;
}

interface Check {
  readonly side: string;
  readonly what: string;
  readonly limit: keyof typeof LIMITS;
  readonly run: (limitMs: number) => Promise<Found>;
}

/** A backend that works here, and the environment that it works in. */
interface WorkingBackend {
  readonly backend: RegisteredBackend;
  readonly env: NodeJS.ProcessEnv;
  /** How it multiplies, where that is not as it comes; behind its name in the results. */
  readonly precision?: string;
}

/**
 * As it comes, and where NVIDIA's libraries multiply with 10 bits (TF32), without that too: what differs from the
 * processor by more than rounding in both is a fault of the graph.
 */
function precisionsOf(working: WorkingBackend): readonly WorkingBackend[] {
  if (!working.backend.needsNvidia) return [working];
  const env = { ...working.env, NVIDIA_TF32_OVERRIDE: '0' };
  return [working, { ...working, env, precision: 'without TF32' }];
}

const sideOf = ({ backend, precision }: WorkingBackend) =>
  [backendTitle(backend), ...(precision === undefined ? [] : [precision])].join(' ');

/** Runs all checks; none ends the others. The speeds come first, what takes longest last. */
export async function runChecks({ sizes, places, tell, deadlineMs, only }: Checks): Promise<void> {
  const attempt = async (check: Check): Promise<boolean> => {
    const isChosen = only?.test(nameOf(check));
    const isNeeded = check.side === MACHINE || check.what === WORKS;
    if (isChosen === false && !isNeeded) return false;
    const patience = isChosen ? Number.POSITIVE_INFINITY : sizes.patience;
    const row = await rowOf(check, { deadlineMs, patience });
    await tell(row);
    return row.status === 'ran';
  };
  let [vulkan, torch]: [Vulkan | undefined, Torch | undefined] = [undefined, undefined];
  const look = (what: string, run: Check['run']) => attempt({ side: MACHINE, what, limit: 'look', run });
  await look('NVIDIA card', async (limitMs) => {
    const { ...card } = await findNvidiaCard(limitMs);
    return { shown: Object.values(card).join(', '), figures: card };
  });
  await look('Vulkan', async (limitMs) => {
    vulkan = await findVulkan({ directory: join(places.scratch, 'vulkan'), loader: places.loader, limitMs });
    return { shown: `${vulkan.card} (${vulkan.drivers.join(', ')})`, figures: { ...vulkan } };
  });
  await look('PyTorch', async (limitMs) => {
    torch = await findTorch(limitMs);
    return { shown: `${torch.version} on ${torch.card}`, figures: { ...torch } };
  });

  const working: WorkingBackend[] = [];
  for (const backend of BACKEND_REGISTRY.filter(({ device }) => device === 'gpu')) {
    const env = environmentOf(backend, vulkan, torch);
    if (await attempt(works(backend, env))) working.push({ backend, env: env ?? {} });
  }
  const processor = BACKEND_REGISTRY.find((each) => backendTitle(each) === 'onnx/cpu');
  const timed = [...working, ...(processor === undefined ? [] : [{ backend: processor, env: {} }])];
  for (const [model, batch] of sizes.speeds) {
    for (const each of timed) await attempt(speed(each, { model, batch, sizes }));
    if (torch !== undefined) await attempt(torchSpeed(torch, { model, batch, sizes }));
  }
  for (const each of working) await attempt(job(each, { sizes, places }));
  if (torch !== undefined) await attempt(torchJob(torch, { sizes, places }));
  for (const each of working.flatMap(precisionsOf)) {
    if (each.backend.engine === 'onnx') await attempt(agrees(each, sizes));
  }
  for (const each of working.flatMap(precisionsOf)) await attempt(conforms(each, sizes));
}

/** The row of one check. */
export async function rowOf(
  { side, what, limit, run }: Check,
  { deadlineMs, patience }: { readonly deadlineMs: number; readonly patience: number },
): Promise<Row> {
  const startedAt = performance.now();
  const limitMs = Math.min(LIMITS[limit] * patience * 1000, deadlineMs - startedAt);
  const row = { side, what };
  const seconds = () => (performance.now() - startedAt) / 1000;
  try {
    if (limitMs <= 0) throw new NotPossibleError('the time was up');
    return { ...row, status: 'ran', ...(await run(limitMs)), seconds: seconds() };
  } catch (error) {
    const [reason = ''] = messageOf(error).split('\n');
    const failures = error instanceof FailuresError ? { failures: error.failures } : {};
    // A backend says by name of a layer that it has no such thing.
    const isLacking = error instanceof NotPossibleError || reason.startsWith('ModelError: ');
    return {
      ...row,
      status: isLacking ? 'not possible here' : 'failed',
      reason,
      ...failures,
      seconds: seconds(),
    };
  }
}

/** The environment in which a backend finds its driver; undefined where Vulkan has none. */
function environmentOf(
  { engine, needsNvidia }: RegisteredBackend,
  vulkan: Vulkan | undefined,
  torch: Torch | undefined,
): NodeJS.ProcessEnv | undefined {
  if (!needsNvidia) return vulkan?.env;
  const libraries = [...cudaLibraries(torch), process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);
  // TensorFlow's addon brings CUDA along.
  return engine === 'tensorflow' || libraries === '' ? {} : { LD_LIBRARY_PATH: libraries };
}

/** The last line that a program printed, as JSON. */
const lastJson = <T>(stdout: string): T => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
const threads = `${availableCores()}`;

/** One step of a small network, by the backend that was asked for and no other. */
function works(backend: RegisteredBackend, env: NodeJS.ProcessEnv | undefined): Check {
  const side = backendTitle(backend);
  const run = async (limitMs: number): Promise<Found> => {
    const obstacle = env === undefined ? 'Vulkan has no driver of a card' : obstacleTo(backend);
    if (obstacle !== undefined) throw new NotPossibleError(obstacle);
    const args = [program('lib/engine/trial-program'), side, '0', '1'];
    const message = lastJson<TrialMessage>(
      await runLimited(process.execPath, args, { limitMs, ...(env === undefined ? {} : { env }) }),
    );
    if (message.kind === 'works') return { shown: 'yes', figures: { session: message.session } };
    const reason = message.kind === 'refused' ? message.reason : message.kind;
    // A library that is not on this machine, as against one that fails.
    if (/cannot open shared object file/.test(reason)) throw new NotPossibleError(reason);
    throw new Error(reason);
  };
  return { side, what: WORKS, limit: 'works', run };
}

/** Training steps of a model: examples a second. */
interface Step {
  readonly model: StepModelName;
  readonly batch: number;
  readonly sizes: Sizes;
}

/** What of a step's program is shown. */
interface StepOutput {
  readonly examplesPerSecond: number;
}

const NAMES: Partial<Record<StepModelName, string>> = { cnn: 'CNN', resnet: 'ResNet', dense: 'MLP' };
const titleOf = ({ model, batch }: Step) => `${NAMES[model] ?? model}, batch ${batch.toLocaleString('en')}`;

function speedFound(stdout: string): Found {
  const figures = lastJson<StepOutput & Record<string, unknown>>(stdout);
  const { examplesPerSecond: speed } = figures;
  const rounded = speed < 10 ? speed.toFixed(1) : Math.round(speed).toLocaleString('en');
  return { shown: `${rounded} img/s`, figures };
}

function speed({ backend, env }: WorkingBackend, step: Step): Check {
  const { steps, seconds } = step.sizes;
  const side = backendTitle(backend);
  const given = [step.model, threads, steps, side, step.batch, seconds].map(String);
  const run = async (limitMs: number) =>
    speedFound(await runLimited(process.execPath, [program('bench/step'), ...given], { limitMs, env }));
  return { side, what: titleOf(step), limit: 'speed', run };
}

/** A script of the other side, in Python; it lies beside dist. */
const peerScript = (name: string) => fileURLToPath(new URL(`../../../bench/peers/${name}`, import.meta.url));
const torchName = ({ version }: Torch) => `PyTorch ${version}`;

/** Like ours, each step takes its batch from the processor's memory. */
function torchSpeed(torch: Torch, step: Step): Check {
  const { steps, seconds } = step.sizes;
  const given = [step.model, threads, steps, step.batch, 'eager', 'cuda', seconds].map(String);
  const run = async (limitMs: number) =>
    speedFound(await runLimited(torch.command, [peerScript('torch_step.py'), ...given], { limitMs }));
  return { side: torchName(torch), what: titleOf(step), limit: 'speed', run };
}

interface Job {
  readonly sizes: Sizes;
  readonly places: Places;
}

const jobTitle = ({ clients, epochs, batch }: Sizes) =>
  `whole job, ${clients} client${clients === 1 ? '' : 's'} × ${epochs} epoch${epochs === 1 ? '' : 's'} × batch ${batch}`;

const jobFound = (startedAt: number, figures: { readonly accuracy: number }): Found => {
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    shown: `${seconds.toFixed(1)} s, accuracy ${(figures.accuracy * 100).toFixed(2)} %`,
    figures: { ...figures, wallSeconds: seconds },
  };
};

/** `fedbatch run`, whose records must name the backend in every update. */
function job({ backend, env }: WorkingBackend, { sizes, places }: Job): Check {
  const side = backendTitle(backend);
  const run = async (limitMs: number) => {
    const volume = join(places.scratch, side.replace('/', '-'));
    const flags = {
      ...{ data: places.data, volume, engine: backend.engine, backend: backend.backend },
      ...{ model: sizes.model, clients: sizes.clients, epochs: sizes.epochs, batch: sizes.batch },
    };
    const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const startedAt = performance.now();
    const args = [program('cli'), 'run', ...words, '--json'];
    const stdout = await runLimited(process.execPath, args, { limitMs, env });
    const found = jobFound(startedAt, lastJson<{ readonly accuracy: number }>(stdout));
    requireEngine(volume, side);
    return found;
  };
  return { side, what: jobTitle(sizes), limit: 'job', run };
}

/** @throws {Error} where an update of the first round was trained elsewhere */
function requireEngine(volume: string, title: string): void {
  const path = join(volume, 'rounds', '0001', 'round.json');
  const { reported } = roundRecordSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  for (const { client, engine = 'an engine without a name' } of reported) {
    if (!engine.startsWith(title)) throw new Error(`client ${client} was trained on ${engine}`);
  }
}

/** The same job as Python processes, as many side by side as there are clients. */
function torchJob(torch: Torch, { sizes, places }: Job): Check {
  const run = async (limitMs: number) => {
    const volume = join(places.scratch, 'torch');
    mkdirSync(volume, { recursive: true });
    const flags = {
      ...{ framework: 'torch', device: 'cuda', data: places.data, volume },
      ...{ clients: sizes.clients, epochs: sizes.epochs, jobs: sizes.clients },
      threads: Math.max(1, Math.floor(availableCores() / sizes.clients)),
    };
    const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const startedAt = performance.now();
    const stdout = await runLimited(torch.command, [peerScript('job.py'), ...words], { limitMs });
    return jobFound(startedAt, lastJson<{ readonly accuracy: number }>(stdout));
  };
  return { side: torchName(torch), what: jobTitle(sizes), limit: 'job', run };
}

/** Of a comparison with the processor, relative to the largest number: cards sum in another order, some with fewer bits. */
const TOLERANCE = 1e-3;

/** @throws {FailuresError} with how many of all there are, and the first */
function requireNone(failures: readonly string[], count: number): void {
  const [first] = failures;
  if (first !== undefined) throw new FailuresError(`${failures.length} of ${count} fail; ${first}`, failures);
}

/** Gradients of each layer, steps and predictions beside those of the processor. */
function agrees(working: WorkingBackend, { comparisons: wanted = '' }: Sizes): Check {
  const { backend, env } = working;
  const run = async (limitMs: number) => {
    const args = [program('test/programs/onnx-device'), backend.backend, wanted];
    const stdout = await runLimited(process.execPath, args, { limitMs, env });
    const comparisons = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Comparison);
    const failures = comparisons.flatMap(({ name, error, difference = Number.NaN }) => {
      if (error !== undefined) return [`${name}: ${error}`];
      return difference < TOLERANCE ? [] : [`${name}: differs by ${difference.toExponential(0)}`];
    });
    requireNone(failures, comparisons.length);
    const largest = Math.max(...comparisons.map(({ difference = 0 }) => difference));
    return {
      shown: `${comparisons.length} comparisons within ${largest.toExponential(0)}`,
      figures: { comparisons },
    };
  };
  return { side: sideOf(working), what: 'agrees with the processor', limit: 'agrees', run };
}

/** The tests that every engine on every backend passes. */
function conforms(working: WorkingBackend, { tests }: Sizes): Check {
  const { backend, env } = working;
  const run = async (limitMs: number) => {
    const args = [
      `--test-reporter=${pathToFileURL(program('bench/gpu/test-lines'))}`,
      ...(tests === undefined ? [] : [`--test-name-pattern=${tests}`]),
      ...[program('bench/gpu/conformance'), backendTitle(backend)],
    ];
    // It fails where a test does: which one is in what it printed.
    const { stdout, late } = await runLimited(process.execPath, args, { limitMs, env }).then(
      (text) => ({ stdout: text, late: undefined }),
      (error: unknown) => {
        if (error instanceof ProgramError) return { stdout: error.stdout, late: error.message };
        throw error;
      },
    );
    const lines = stdout
      .split('\n')
      .filter((line) => line.startsWith('{"name":'))
      .map((line) => JSON.parse(line) as TestLine);
    const ran = lines.filter(({ isSkipped }) => !isSkipped);
    requireNone(
      ran.filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason}`),
      ran.length,
    );
    const passed = `${ran.length} tests pass`;
    if (late !== undefined || ran.length === 0)
      throw new Error(`${late ?? 'no test ran'}; until then, ${passed}`);
    return { shown: passed, figures: { passed: ran.length } };
  };
  return { side: sideOf(working), what: 'conformance suite', limit: 'conformance', run };
}
