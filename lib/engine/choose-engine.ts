/** From `--engine` and `--backend` to a loaded engine: what was asked for or an error, with `auto` the best that works. */

import { type ForeignLayer, foreignLayers } from '../model/layers/foreign.js';
import type { ModelDescription } from '../model/model-description.js';
import { type EngineChoice, engineChoice, enginesOf, formatChoice } from '../settings/parts/engine.js';
import { type Engine, EngineUnavailableError } from './engine.js';
import {
  BACKEND_REGISTRY,
  backendTitle,
  lacksGpu,
  missingPart,
  obstacleTo,
  type RegisteredBackend,
} from './engine-registry.js';
import { trialInProcess } from './trial.js';

/** A loaded engine, and why it is this one. */
interface ChosenEngine {
  readonly engine: Engine;
  readonly backend: RegisteredBackend;
  /** For people, e.g. `auto: there is no NVIDIA driver here`, or `as asked`. */
  readonly why: string;
}

/** Where the backends come from and how a GPU is tried; replaced in tests of machines that are not at hand. */
interface ChoiceOptions {
  readonly registry?: readonly RegisteredBackend[];
  /** The model to run: one with layers that only Keras knows needs TensorFlow. */
  readonly description?: ModelDescription;
  /** Take what otherwise only who names it gets, where nothing better works. */
  readonly atWorst?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Loads the engine that a choice means. A backend that was asked for is loaded or refused, never replaced by another;
 * else the first of the registry that works is taken. On a GPU a small training step is tried first, since its
 * libraries load well on machines where they then fail.
 *
 * @throws {EngineUnavailableError} with what to install, when what was asked for does not work here
 */
export async function chooseEngine(
  choice: EngineChoice,
  { registry = BACKEND_REGISTRY, description, atWorst = false, signal }: ChoiceOptions = {},
): Promise<ChosenEngine> {
  const [foreign] = description === undefined ? [] : foreignLayers(description);
  if (foreign !== undefined)
    return chooseForForeign(choice, foreign, { registry, ...(signal ? { signal } : {}) });
  const asked = enginesOf(choice);
  const matching = registry.filter(
    (each) =>
      asked.includes(each.engine) && (choice.backend === undefined || each.backend === choice.backend),
  );
  const [only] = matching;
  if (choice.backend !== undefined && matching.length === 1 && only !== undefined) {
    return { engine: await loadAsAsked(only), backend: only, why: 'as asked' };
  }
  const candidates = matching.filter((each) => atWorst || isCandidate(each, choice));
  const passedOver: Refusal[] = [];
  for (const backend of candidates) {
    const outcome = await tryToLoad(backend, signal);
    if (outcome.engine !== undefined) {
      return {
        engine: outcome.engine,
        backend,
        why: explain(choice, passedOver) + slowness(backend, passedOver),
      };
    }
    passedOver.push({ backend, reason: outcome.reason });
  }
  throw new EngineUnavailableError(formatChoice(choice), allReasons(passedOver));
}

/** A layer that ONNX cannot compile is built by TensorFlow, or refused with its name. */
async function chooseForForeign(
  choice: EngineChoice,
  { reason }: ForeignLayer,
  options: ChoiceOptions,
): Promise<ChosenEngine> {
  const { name, backend } = choice;
  if (!enginesOf(choice).includes('tensorflow')) {
    throw new EngineUnavailableError(formatChoice(choice), `${reason}. The engine tensorflow may know it.`);
  }
  try {
    const chosen = await chooseEngine(engineChoice('tensorflow', backend), { ...options, atWorst: true });
    return name === 'auto' ? { ...chosen, why: `${chosen.why}, because ${reason}` } : chosen;
  } catch (cause) {
    if (!(cause instanceof EngineUnavailableError) || name !== 'auto') throw cause;
    throw new EngineUnavailableError(cause.engine, `it is needed because ${reason}; ${cause.reason}`, {
      cause,
    });
  }
}

interface Refusal {
  readonly backend: RegisteredBackend;
  readonly reason: string;
}

type Loaded = { readonly engine: Engine } | { readonly engine: undefined; readonly reason: string };

function isCandidate({ offeredTo }: RegisteredBackend, choice: EngineChoice): boolean {
  if (choice.backend !== undefined || offeredTo === 'auto') return true;
  return choice.name !== 'auto' && offeredTo === 'engine';
}

/** @throws {EngineUnavailableError} */
async function loadAsAsked(backend: RegisteredBackend): Promise<Engine> {
  const title = backendTitle(backend);
  const missing = missingPart(backend);
  if (missing !== undefined) {
    throw new EngineUnavailableError(title, `${missing}. Install it with: ${backend.install}`);
  }
  try {
    const engine = await backend.load();
    // A silent way back to the processor is what must not happen: a step shows that the GPU really computes.
    if (backend.device === 'gpu') await trialInProcess(engine);
    return engine;
  } catch (cause) {
    if (cause instanceof EngineUnavailableError) throw cause;
    throw new EngineUnavailableError(title, `${messageOf(cause)}.`, { cause });
  }
}

async function tryToLoad(backend: RegisteredBackend, signal: AbortSignal | undefined): Promise<Loaded> {
  const obstacle = obstacleTo(backend);
  if (obstacle !== undefined) return { engine: undefined, reason: obstacle };
  try {
    if (backend.device === 'gpu') {
      // Loaded only here: starting processes takes libraries of 10 MB, which each thread would load for itself.
      const { trialInChild } = await import('./trial-process.js');
      const trial = await trialInChild(backend, signal === undefined ? {} : { signal });
      if (!trial.works) return { engine: undefined, reason: trial.reason };
    }
    return { engine: await backend.load() };
  } catch (error) {
    signal?.throwIfAborted();
    return { engine: undefined, reason: messageOf(error) };
  }
}

/** Why it is not a better one. */
function explain(choice: EngineChoice, passedOver: readonly Refusal[]): string {
  const better = [...new Set(passedOver.map(({ backend, reason }) => clause(backend, reason)))];
  return [formatChoice(choice), ...(better.length === 0 ? [] : [better.join('; ')])].join(': ');
}

/** What is taken only where nothing else works is slow: says so, and what to install. */
function slowness({ offeredTo }: RegisteredBackend, passedOver: readonly Refusal[]): string {
  if (offeredTo !== 'backend') return '';
  const better = passedOver.map(({ backend }) => backend).filter((each) => each.device === 'cpu');
  const advice = better.map(({ install }) => `; ${install} makes it faster`);
  return ` (this backend is hundreds of times slower than others${advice.join('')})`;
}

/** A missing GPU is said once, and not for each library that would use it. */
function clause(backend: RegisteredBackend, reason: string): string {
  return lacksGpu(backend) ? reason : `${backendTitle(backend)}: ${reason}`;
}

function allReasons(passedOver: readonly Refusal[]): string {
  const reasons = passedOver.map(({ backend, reason }) => {
    // What a missing GPU keeps from working, no installation helps.
    const remedy = missingPart(backend) === undefined || lacksGpu(backend) ? '' : ` (${backend.install})`;
    return `${backendTitle(backend)}: ${reason}${remedy}`;
  });
  return `${reasons.join('; ')}.`;
}

/** The first line of a message, without its full stop: native libraries write pages. */
function messageOf(error: unknown): string {
  if (error instanceof EngineUnavailableError) return error.reason.replace(/\.$/, '');
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').replace(/\.$/, '');
}
