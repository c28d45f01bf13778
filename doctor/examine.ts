/** Examines the machine and every engine and backend on it: found, working, how fast, and what `auto` takes. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { ProgramContext } from '../lib/cli/program.js';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import { EngineUnavailableError } from '../lib/engine/engine.js';
import {
  BACKEND_REGISTRY,
  backendTitle,
  libraryVersion,
  missingPart,
  obstacleTo,
  type RegisteredBackend,
} from '../lib/engine/engine-registry.js';
import { prepareEngines } from '../lib/engine/native-environment.js';
import { type TrialResult, trialInChild } from '../lib/engine/trial-process.js';
import type { BackendFinding, Findings, Machine } from '../lib/formats/findings.js';
import { type EngineChoice, enginesOf } from '../lib/settings/parts/engine.js';
import { availableCores, cgroupCpuLimit, hasNvidiaDriver, nvidiaGpuNames } from '../lib/system/hardware.js';

/** How to examine. */
interface ExamineOptions {
  /** Only the backends of this choice. */
  readonly choice: EngineChoice;
  /** Seconds of training per backend; 0 only tries whether it works. */
  readonly measureSeconds: number;
  readonly threads: number;
}

/** What doctor found, and the error that a program would end with where nothing is chosen. */
interface Examination {
  readonly findings: Findings;
  readonly refusal: EngineUnavailableError | undefined;
}

/** A first start from a cold disk takes its time; a measurement runs a whole step over, however slow. */
const TRIAL_TIMEOUT_MS = 60_000;

/** Examines the backends one after the other, so that they do not take each other's cores. */
export async function examine(
  { choice, measureSeconds, threads }: ExamineOptions,
  { reporter, signal }: ProgramContext,
): Promise<Examination> {
  prepareEngines({ threads });
  const engines = enginesOf(choice);
  const asked = BACKEND_REGISTRY.filter(
    ({ engine, backend }) =>
      engines.includes(engine) && (choice.backend === undefined || choice.backend === backend),
  );
  const backends: BackendFinding[] = [];
  for (const backend of asked) {
    if (obstacleTo(backend) === undefined) {
      reporter.info(`${measureSeconds > 0 ? 'Measuring' : 'Trying'} ${backendTitle(backend)} …`);
    }
    backends.push(await examineBackend(backend, { measureSeconds, threads, signal }));
  }
  const { refusal, ...chosen } = await chooseEngine(choice, { signal }).then(
    ({ backend, why }) => ({ engine: backendTitle(backend), why, refusal: undefined }),
    (error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof EngineUnavailableError) return { engine: null, why: error.reason, refusal: error };
      throw error;
    },
  );
  return { findings: { machine: inspectMachine(), backends, chosen }, refusal };
}

async function examineBackend(
  backend: RegisteredBackend,
  options: { readonly measureSeconds: number; readonly threads: number; readonly signal: AbortSignal },
): Promise<BackendFinding> {
  const obstacle = obstacleTo(backend);
  const installed = missingPart(backend) === undefined;
  const version = libraryVersion(backend) ?? null;
  const trial: TrialResult =
    obstacle === undefined
      ? await trialInChild(backend, { ...options, timeoutMs: TRIAL_TIMEOUT_MS })
      : { works: false, reason: obstacle };
  return {
    engine: backend.engine,
    backend: backend.backend,
    device: backend.device,
    installed,
    version,
    works: trial.works,
    session: trial.works ? trial.session : null,
    threads: options.threads,
    imagesPerSecond: trial.works ? (trial.imagesPerSecond ?? null) : null,
    batch: trial.works ? (trial.batch ?? null) : null,
    reason: trial.works ? (trial.notMeasured ?? null) : trial.reason,
    blockedImages: trial.works ? (trial.blocks ?? null) : null,
    install: installed ? null : backend.install,
  };
}

/** Looks at the machine. */
function inspectMachine(): Machine {
  const cpuLimit = cgroupCpuLimit();
  const memoryBytes = totalmem();
  // The kernel's "no limit" is a number larger than any memory; libuv's is 0.
  const memoryLimit = process.constrainedMemory();
  const names = nvidiaGpuNames();
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    cpuLimit: Number.isFinite(cpuLimit) ? cpuLimit : null,
    cores: availableCores(),
    memoryBytes,
    memoryLimitBytes: memoryLimit > 0 && memoryLimit < memoryBytes ? memoryLimit : null,
    gpus: names.length === 0 && hasNvidiaDriver() ? ['an NVIDIA GPU'] : names,
  };
}
