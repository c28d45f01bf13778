/** A training step of the default CNN, beside the same step on other frameworks with the same number of threads. */
import { resolve } from 'node:path';
import { formatBytes } from '../lib/observability/format.js';
import { interleave, type ProcessSample, sampleProcess } from './measure.js';
import { availablePeers, findDebianTorch, type Peer, prepareKeras, preparePyTorch } from './peers.js';
import { formatRatio, medianOf, ratioByRound, type Table } from './report.js';
import { type BenchOptions, peerScript, program } from './section.js';

const STEPS = 20;
const BATCH = 100;
/** Enough to tell ways apart that differ severalfold. */
const TRIAL_STEPS = 5;
const OURS = 'fedbatch, ONNX engine';
const PORTABLE = 'fedbatch, WebAssembly (the fallback)';

/** What a step program prints, and its peak memory. */
export interface StepFigures {
  readonly stepMs: number;
  readonly imagesPerSecond: number;
  readonly firstStepSeconds: number;
  readonly peakBytes: number;
}

/** A training step of the CNN at 1 and 2 threads. */
export async function benchStep({ rounds, journal }: BenchOptions): Promise<Table> {
  const { peers, notes: missing } = await availablePeers({
    torch: preparePyTorch,
    keras: prepareKeras,
    debian: findDebianTorch,
  });
  const canCompile = await sampleProcess('g++', ['--version']).then(
    () => true,
    () => false,
  );
  const notes = [...missing, ...(canCompile ? [] : ['Not measured: torch.compile (it needs g++).'])];
  const kerasMode = peers.keras && (await fasterKerasMode(peers.keras, journal));
  if (kerasMode !== undefined) notes.push(kerasMode.note);
  const rows: string[][] = [];
  for (const threads of [1, 2]) {
    const numbers = [threads, STEPS, BATCH].map(String);
    const ours = (backend: 'cpu' | 'wasm') =>
      step(process.execPath, [program('bench/step-onnx'), ...numbers, backend]);
    const theirs = (peer: Peer | undefined, script: string, mode: 'eager' | 'compiled', label: string) =>
      peer === undefined
        ? {}
        : { [`${peer.name}, ${label}`]: () => step(peer.command, [peerScript(script), ...numbers, mode]) };
    const samples = await interleave(
      { rounds, journal, name: `step, threads ${threads}` },
      {
        [OURS]: () => ours('cpu'),
        [PORTABLE]: () => ours('wasm'),
        ...theirs(peers.torch, 'torch_step.py', 'eager', 'channels_last'),
        ...theirs(
          canCompile ? peers.torch : undefined,
          'torch_step.py',
          'compiled',
          'channels_last, torch.compile',
        ),
        ...theirs(
          peers.keras,
          'keras_step.py',
          kerasMode?.mode ?? 'eager',
          `jit_compile=${kerasMode?.mode === 'compiled' ? 'True' : 'False'}`,
        ),
        ...theirs(peers.debian, 'torch_step.py', 'eager', 'channels_last'),
      },
    );
    rows.push(...stepRows(samples, threads));
  }
  return {
    header: ['engine', 'threads', 'step', 'images/s', 'fedbatch is', 'first step after start', 'peak memory'],
    rows,
    notes,
  };
}

/** A row for each side; the speed of `fedbatch` as a multiple of it, round by round. */
export function stepRows(
  samples: Readonly<Record<string, readonly StepFigures[]>>,
  threads: number,
): readonly string[][] {
  const speeds = (side: string) => (samples[side] ?? []).map(({ imagesPerSecond }) => imagesPerSecond);
  return Object.entries(samples).map(([side, each]) => [
    side,
    `${threads}`,
    `${medianOf(each, ({ stepMs }) => stepMs).toFixed(1)} ms`,
    medianOf(each, ({ imagesPerSecond }) => imagesPerSecond).toFixed(0),
    side === OURS ? '' : `${formatRatio(ratioByRound(speeds(OURS), speeds(side)))} as fast`,
    `${medianOf(each, ({ firstStepSeconds }) => firstStepSeconds).toFixed(2)} s`,
    formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
  ]);
}

/** Whether Keras is faster with XLA (`jit_compile`) or without, by a short trial: the slower takes several times as long. */
async function fasterKerasMode(
  peer: Peer,
  journal: BenchOptions['journal'],
): Promise<{ readonly mode: 'eager' | 'compiled'; readonly note: string }> {
  const trial = (mode: 'eager' | 'compiled') =>
    journal.once(`trial, keras, ${mode}`, () =>
      step(peer.command, [peerScript('keras_step.py'), '2', `${TRIAL_STEPS}`, `${BATCH}`, mode]),
    );
  const [eager, compiled] = [await trial('eager'), await trial('compiled')];
  return {
    mode: compiled.stepMs < eager.stepMs ? 'compiled' : 'eager',
    note: `Keras ran with the faster of its two ways; a trial of ${TRIAL_STEPS} steps at 2 threads: jit_compile=False ${eager.stepMs.toFixed(0)} ms, jit_compile=True ${compiled.stepMs.toFixed(0)} ms.`,
  };
}

/** torch.compile keeps what it compiled here, as it does for a user from the second run on. */
const COMPILED = { TORCHINDUCTOR_CACHE_DIR: resolve('.cache', 'bench-venv', 'inductor') };

async function step(command: string, args: readonly string[]): Promise<StepFigures> {
  const sample: ProcessSample = await sampleProcess(command, args, COMPILED);
  const { stepMs, imagesPerSecond, firstStepSeconds } = JSON.parse(sample.stdout) as StepFigures;
  return { stepMs, imagesPerSecond, firstStepSeconds, peakBytes: sample.peakBytes };
}
