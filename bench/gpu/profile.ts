/**
 * Where the time of training steps goes, by ONNX Runtime's own profile; prints a JSON line for each batch size.
 * Arguments: engine/backend, model, threads, steps, and batch sizes. A card works on after an operator has given it
 * something to do, so that its time is told by those that wait for it; with CUDA_LAUNCH_BLOCKING=1 each waits for itself.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '../../lib/core/random.js';
import { BACKEND_REGISTRY, backendTitle } from '../../lib/engine/engine-registry.js';
import { prepareEngines } from '../../lib/engine/native-environment.js';
import type { OnnxBackend } from '../../lib/engine/onnx/backends.js';
import { type InferenceSession, loadOnnxRuntime } from '../../lib/engine/onnx/runtime.js';
import { initialWeights } from '../../lib/model/parameters.js';
import { median } from '../report.js';
import { STEP_MODELS, type StepModelName } from '../step-models.js';
import { requireCard } from './machine.js';

/** An event of the profile; `args` of an operator's tell its kind and on what it ran. */
interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

const [title = 'onnx/cpu', name = 'cnn', threads = '1', steps = '10', ...batches] = process.argv.slice(2);
/** Rows of a list; the rest is in its sum. */
const MOST = 12;
const WARM_UP_STEPS = 3;
let sessionCount = 0;

const backend = BACKEND_REGISTRY.find((each) => backendTitle(each) === title);
if (backend?.engine !== 'onnx') throw new Error(`there is no backend ${title} of ONNX Runtime`);
prepareEngines({ threads: Number(threads) });
const { InferenceSession: factory } = await loadOnnxRuntime(backend.backend as OnnxBackend, Number(threads));
const engine = await backend.load();
const { description, loss, batch } = STEP_MODELS[name as StepModelName];

for (const batchSize of batches.map(Number)) console.log(JSON.stringify(await profile(batchSize)));
requireCard(backend);
process.stdout.write('', () => process.exit());

async function profile(batchSize: number) {
  const directory = mkdtempSync(join(tmpdir(), 'fedbatch-profile-'));
  const create = factory.create.bind(factory) as (...args: unknown[]) => Promise<InferenceSession>;
  /** Those that live, and the names of their profiles; the engine's own trials are over by then. */
  const sessions = new Map<InferenceSession, string>();
  const profiled = async (model: Uint8Array, options: InferenceSession.SessionOptions) => {
    const prefix = `${sessionCount++}-`;
    const session = await create(model, {
      ...options,
      enableProfiling: true,
      profileFilePrefix: join(directory, prefix),
    });
    sessions.set(session, prefix);
    const release = session.release.bind(session);
    session.release = () => {
      sessions.delete(session);
      return release();
    };
    return session;
  };
  Object.assign(factory, { create: profiled });
  try {
    const session = await engine.createTrainingSession(
      { description, weights: initialWeights(description, 0) },
      {
        optimizer: { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
        ...{ loss, batchSize, seed: 0, threads: Number(threads) },
      },
    );
    const data = batch(randomStream(0, 'bench'), batchSize);
    const milliseconds: number[] = [];
    for (let step = 0; step < WARM_UP_STEPS + Number(steps); step++) {
      const startedAt = performance.now();
      await session.step(data);
      milliseconds.push(performance.now() - startedAt);
    }
    for (const each of sessions.keys()) each.endProfiling();
    const prefixes = [...sessions.values()];
    await session.dispose();
    const files = readdirSync(directory).filter((file) => prefixes.some((each) => file.startsWith(each)));
    const events = files.flatMap((file) =>
      timed(JSON.parse(readFileSync(join(directory, file), 'utf8')) as readonly ProfileEvent[]),
    );
    const timedMs = milliseconds.slice(WARM_UP_STEPS);
    return {
      ...{ title, model: name, batchSize, stepMs: round(median(timedMs)), stepsMs: timedMs.map(round) },
      firstStepMs: round(milliseconds[0] as number),
      ...summary(events),
    };
  } finally {
    Object.assign(factory, { create });
    rmSync(directory, { recursive: true });
  }
}

/** Of a session's events those of operators, without those of the warm-up. */
function timed(events: readonly ProfileEvent[]): readonly ProfileEvent[] {
  const ran = events.filter(({ cat, name: each }) => cat === 'Node' && each.endsWith('_kernel_time'));
  return [...grouped(ran, (event) => event.name).values()].flatMap((ofOne) =>
    ofOne.slice(Math.round((ofOne.length * WARM_UP_STEPS) / (WARM_UP_STEPS + Number(steps)))),
  );
}

/** What takes longest, by kind and one by one, in milliseconds of a step; and what a device left to the processor. */
function summary(events: readonly ProfileEvent[]) {
  const kind = ({ args }: ProfileEvent) =>
    `${args?.op_name} on ${args?.provider?.replace('ExecutionProvider', '')}`;
  const msOf = (some: readonly ProfileEvent[]) =>
    some.reduce((sum, { dur }) => sum + dur, 0) / 1000 / Number(steps);
  const ranked = (key: (event: ProfileEvent) => string) =>
    [...grouped(events, key)]
      .map(([label, some]) => ({ label, ms: round(msOf(some)), runs: some.length / Number(steps) }))
      .sort((a, b) => b.ms - a.ms);
  const operators = ranked((event) => `${event.name.replace(/_kernel_time$/, '')}: ${kind(event)}`);
  return {
    operatorsMs: round(msOf(events)),
    kinds: ranked(kind).slice(0, MOST),
    operators: operators.slice(0, MOST),
    onProcessor: ranked(kind).filter(({ label }) => label.endsWith(' on CPU')),
  };
}

function grouped(events: readonly ProfileEvent[], key: (event: ProfileEvent) => string) {
  const groups = new Map<string, ProfileEvent[]>();
  for (const event of events) groups.set(key(event), [...(groups.get(key(event)) ?? []), event]);
  return groups;
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
