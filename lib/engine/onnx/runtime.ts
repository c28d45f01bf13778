/** ONNX Runtime on each backend: loads the build that runs it, and makes its sessions with the options that all of ours share. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import type {
  InferenceSession,
  InferenceSessionFactory,
  Tensor,
  TensorConstructor,
} from 'onnxruntime-common';
import { messageOf } from '../../core/errors.js';
import { releaseMemory } from '../../system/memory.js';
import { EngineUnavailableError } from '../engine.js';
import { findPackage, requirePackage } from '../installed-package.js';
import { disableTelemetry, isTelemetryDisabled } from '../native-environment.js';
import {
  type OnnxBackend,
  type OnnxLibrary,
  onnxEngineName,
  onnxInstallCommand,
  onnxPackage,
} from './backends.js';

/** The classes that the native and the WebAssembly build share, and where they differ. */
export interface OnnxRuntime {
  readonly backend: OnnxBackend;
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  /** Whether `run` writes into the tensors that it is given for its outputs; the WebAssembly build leaves them as they were. */
  readonly fillsGivenOutputs: boolean;
}

export type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';

/** Feeds of a session by input name. */
export type Feeds = InferenceSession.FeedsType;

/**
 * Loads the build that runs `backend`.
 *
 * @param threads those of the sessions to come: the WebAssembly build has an instance for each number
 * @throws {EngineUnavailableError} where the build does not load
 */
export async function loadOnnxRuntime(backend: OnnxBackend, threads: number): Promise<OnnxRuntime> {
  return backend === 'wasm' ? loadWeb(threads) : loadNative(backend);
}

function loadNative(backend: OnnxBackend): OnnxRuntime {
  try {
    const { InferenceSession, Tensor } = requirePackage('onnxruntime-node') as OnnxLibrary;
    return { backend, InferenceSession, Tensor, fillsGivenOutputs: true };
  } catch (cause) {
    const reason = `ONNX Runtime's native library does not load on ${process.platform} ${process.arch}`;
    const advice = 'choose the backend wasm, which runs everywhere';
    throw new EngineUnavailableError(onnxEngineName(backend), `${reason} (${firstLine(cause)}); ${advice}.`, {
      cause,
    });
  }
}

function loadWeb(threads: number): OnnxRuntime {
  try {
    const { InferenceSession, Tensor } = loadWebAssembly(threads);
    return { backend: 'wasm', InferenceSession, Tensor, fillsGivenOutputs: false };
  } catch (cause) {
    const reason = `the package onnxruntime-web does not load (${firstLine(cause)}); install it with: ${onnxInstallCommand('wasm')}.`;
    throw new EngineUnavailableError(onnxEngineName('wasm'), reason, { cause });
  }
}

/** What an error says, without what Node adds about who required what and ONNX Runtime about where in its source. */
export function firstLine(error: unknown): string {
  const message = messageOf(error);
  const line = message.trim().split('\n')[0] ?? '';
  return line.replace(/^\/\S+:\d+ .* was (?:false|true)\. /, '').replace(/\.$/, '');
}

interface Run {
  readonly runtime: OnnxRuntime;
  readonly session: InferenceSession;
  readonly feeds: Feeds;
}

/** Runs `session` and fills `outputs`. */
export async function runInto(
  outputs: Readonly<Record<string, Tensor>>,
  { runtime, session, feeds }: Run,
): Promise<void> {
  await runFor([], { outputs, runtime, session, feeds });
}

/** Runs `session`, fills `outputs`, and returns the outputs `names`. */
export async function runFor(
  names: readonly string[],
  { outputs, runtime, session, feeds }: Run & { readonly outputs: Readonly<Record<string, Tensor>> },
): Promise<Readonly<Record<string, Tensor>>> {
  const others = Object.fromEntries(names.map((name) => [name, null]));
  const results = runtime.fillsGivenOutputs
    ? await session.run(feeds, { ...outputs, ...others })
    : await session.run(feeds, [...Object.keys(outputs), ...names]);
  const copies = Object.entries(outputs).flatMap(([name, tensor]) => {
    const values = floats(results[name] as Tensor);
    if (values.buffer === floats(tensor).buffer) return [];
    if (!runtime.fillsGivenOutputs) floats(tensor).set(values);
    return [values];
  });
  // Which the native build makes although it has filled what it was given.
  releaseMemory(...copies);
  return Object.fromEntries(names.map((name) => [name, results[name] as Tensor]));
}

/** Of these feeds what a session takes. */
export function taken({ inputNames }: InferenceSession, feeds: Feeds): Feeds {
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => inputNames.includes(name)));
}

/** The elements of a float tensor. */
export const floats = (tensor: Tensor): Float32Array => tensor.data as Float32Array;

const require = createRequire(import.meta.url);
const PACKAGE = onnxPackage('wasm');
const instances = new Map<number, OnnxLibrary>();

/**
 * The library with `threads` threads. It keeps its threads in its modules' state and starts them only once, so that
 * each number gets an instance of its own.
 *
 * @throws {Error} where the package is missing
 */
function loadWebAssembly(threads: number): OnnxLibrary {
  const known = instances.get(threads);
  if (known !== undefined) return known;
  const library = requireAfresh();
  library.env.wasm.numThreads = threads;
  // The module's own folder: named, so that no other place is ever asked.
  library.env.wasm.wasmPaths = pathToFileURL(join(findPackage(PACKAGE)?.directory ?? '', 'dist', '/')).href;
  instances.set(threads, library);
  return library;
}

/** Loads the package and the part that it shares with the native build once more, beside those that are loaded. */
function requireAfresh(): OnnxLibrary {
  const before = new Map(libraryModules());
  for (const path of before.keys()) delete require.cache[path];
  try {
    return requirePackage(PACKAGE) as OnnxLibrary;
  } finally {
    for (const [path] of libraryModules()) delete require.cache[path];
    for (const [path, module] of before) require.cache[path] = module;
  }
}

const libraryModules = () =>
  Object.entries(require.cache).flatMap(([path, module]) =>
    module !== undefined && /[\\/]onnxruntime-(web|common)[\\/]/.test(path) ? [[path, module] as const] : [],
  );

/** Settings of a session. */
interface InferenceSessionSettings {
  readonly runtime: OnnxRuntime;
  /** Processor threads on which each operator runs. */
  readonly threads: number;
  /** Refuse a model of which any operator would run on the processor instead of the backend's device. */
  readonly wholeOnDevice?: boolean;
}

/** A session that runs its operators one after another. */
export async function createInferenceSession(
  model: Uint8Array,
  { runtime, threads, wholeOnDevice = false }: InferenceSessionSettings,
): Promise<InferenceSession> {
  // The WebAssembly build has no telemetry.
  if (runtime.backend !== 'wasm') requireTelemetryOff();
  return runtime.InferenceSession.create(model, {
    executionProviders: [runtime.backend],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // A plan of all of a step's memory lies beside what the first step allocated piece by piece: 40 MB more for the CNN,
    // and no faster.
    enableMemPattern: false,
    graphOptimizationLevel: 'all',
    // Warnings are about graph rewrites that users can do nothing about.
    logSeverityLevel: 3,
    extra: { session: sessionEntries(wholeOnDevice) },
  });
}

/** Entries of ONNX Runtime's session configuration (onnxruntime_session_options_config_keys.h). */
function sessionEntries(wholeOnDevice: boolean): Readonly<Record<string, unknown>> {
  return {
    // A thread that waits for work spins for so long, and then sleeps. An LSTM's steps are many short operators, between
    // which sleeping costs more than the work: with 2 threads on 2 cores a step took 16 to 20 ms without spinning, 12 to
    // 14 ms with this. Threads that spin on (the default) take the cores from those that work: up to 2.9 times as long a
    // step of the CNN beside other trainers, 1.02 times with this.
    intra_op: { allow_spinning: '1', spin_duration_us: '50' },
    ...(wholeOnDevice ? { disable_cpu_ep_fallback: '1' } : {}),
  };
}

function requireTelemetryOff(): void {
  if (isMainThread) disableTelemetry();
  if (!isTelemetryDisabled()) {
    throw new Error('Call disableTelemetry on the main thread before a worker makes a session.');
  }
}
