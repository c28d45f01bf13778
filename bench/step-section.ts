/** Training steps of some models, beside the same steps on other frameworks with the same number of threads. */
import { resolve } from 'node:path';
import { formatBytes } from '../lib/observability/format.js';
import { interleave, type ProcessSample, sampleProcess } from './measure.js';
import { availablePeers, findDebianTorch, type Peer, prepareKeras, preparePyTorch } from './peers.js';
import { formatRatio, medianOf, ratioByRound } from './report.js';
import { peerScript, program, type Section } from './section.js';
import { STEP_MODELS, type StepModelName } from './step-models.js';

/** Enough to tell ways apart that differ severalfold. */
const TRIAL_STEPS = 5;
const OURS = 'fedbatch, ONNX engine';
const PORTABLE = 'fedbatch, WebAssembly (the fallback)';

/** What a step program prints, and its peak memory. */
export interface StepFigures {
  readonly stepMs: number;
  readonly examplesPerSecond: number;
  readonly firstStepSeconds: number;
  /** Numbers that the step trains. */
  readonly parameters: number;
  readonly peakBytes: number;
}

/** A training step of a model at 1 and 2 threads; of the CNN, beside more than the others are measured beside. */
export function stepSection(model: StepModelName): Section {
  return async ({ rounds, journal }) => {
    const isWide = model === 'cnn';
    const { peers, notes: missing } = await availablePeers({
      torch: preparePyTorch,
      keras: prepareKeras,
      ...(isWide ? { debian: findDebianTorch } : {}),
    });
    const { torch, keras, debian } = peers as { torch?: Peer; keras?: Peer; debian?: Peer };
    const canCompile = await sampleProcess('g++', ['--version']).then(
      () => true,
      () => false,
    );
    const notes = [...missing, ...(canCompile ? [] : ['Not measured: torch.compile (it needs g++).'])];
    const { steps, batchSize } = STEP_MODELS[model];
    const stepOf = (peer: Peer, { script, mode, threads, count }: PeerStep) =>
      step(peer.command, [peerScript(script), model, `${threads}`, `${count}`, `${batchSize}`, mode]);
    const faster = async (peer: Peer | undefined, script: string, [plain, compiled]: ModeNames) => {
      if (peer === undefined) return {};
      const trial = (mode: Mode) =>
        journal.once(`trial, ${script}, ${mode}`, () =>
          stepOf(peer, { script, mode, threads: 2, count: TRIAL_STEPS }),
        );
      const [first, second] = [await trial('eager'), await trial('compiled')];
      const isCompiled = second.stepMs < first.stepMs;
      const [name] = peer.name.split(' ');
      notes.push(
        `${name} ran with the faster of its two ways; a trial of ${TRIAL_STEPS} steps at 2 threads: ${plain} ${first.stepMs.toFixed(1)} ms, ${compiled} ${second.stepMs.toFixed(1)} ms.`,
      );
      return { [isCompiled ? compiled : plain]: isCompiled ? 'compiled' : 'eager' } as const;
    };
    const [eager, compiled] = TORCH_MODES;
    const torchModes: Modes =
      isWide || !canCompile
        ? { [eager]: 'eager', ...(canCompile ? { [compiled]: 'compiled' } : {}) }
        : await faster(torch, 'torch_step.py', TORCH_MODES);
    const kerasModes: Modes = await faster(keras, 'keras_step.py', KERAS_MODES);
    const rows: (readonly string[])[] = [];
    for (const threads of [1, 2]) {
      const ours = (backend: 'cpu' | 'wasm') =>
        step(process.execPath, [
          program('bench/step'),
          ...[model, `${threads}`, `${steps}`, `onnx/${backend}`],
        ]);
      const theirs = (peer: Peer | undefined, script: string, modes: Modes) =>
        Object.fromEntries(
          Object.entries(peer === undefined ? {} : modes).map(([label, mode]) => [
            `${peer?.name}, ${label}`,
            () => stepOf(peer as Peer, { script, mode, threads, count: steps }),
          ]),
        );
      const samples = await interleave(
        { rounds, journal, name: `step of ${model}, threads ${threads}` },
        {
          [OURS]: () => ours('cpu'),
          ...(isWide ? { [PORTABLE]: () => ours('wasm') } : {}),
          ...theirs(torch, 'torch_step.py', torchModes),
          ...theirs(keras, 'keras_step.py', kerasModes),
          ...theirs(debian, 'torch_step.py', { [eager]: 'eager' }),
        },
      );
      requireSameModel(samples);
      rows.push(...stepRows(samples, threads));
    }
    return {
      header: [
        'engine',
        'threads',
        'step',
        'examples/s',
        'fedbatch is',
        'first step after start',
        'peak memory',
      ],
      rows,
      notes,
    };
  };
}

/** Whether a framework compiles a model before it trains it. */
type Mode = 'eager' | 'compiled';
/** The ways of a framework, by what they are called in a table. */
type Modes = Readonly<Record<string, Mode>>;
/** What the two ways are called, compiled last. */
type ModeNames = readonly [string, string];

const TORCH_MODES: ModeNames = ['channels_last', 'channels_last, torch.compile'];
const KERAS_MODES: ModeNames = ['jit_compile=False', 'jit_compile=True'];

interface PeerStep {
  readonly script: string;
  readonly mode: Mode;
  readonly threads: number;
  /** Steps that are timed. */
  readonly count: number;
}

/** @throws where sides have trained different numbers of parameters: they were not the same model */
export function requireSameModel(samples: Readonly<Record<string, readonly StepFigures[]>>): void {
  const counts = Object.entries(samples).map(([side, [first]]) => [side, first?.parameters] as const);
  if (new Set(counts.map(([, parameters]) => parameters)).size <= 1) return;
  throw new Error(
    `not the same model: ${counts.map(([side, count]) => `${side} trains ${count} parameters`).join('; ')}`,
  );
}

/** A row for each side; the speed of `fedbatch` as a multiple of it, round by round. */
export function stepRows(
  samples: Readonly<Record<string, readonly StepFigures[]>>,
  threads: number,
): readonly string[][] {
  const speeds = (side: string) => (samples[side] ?? []).map(({ examplesPerSecond }) => examplesPerSecond);
  return Object.entries(samples).map(([side, each]) => [
    side,
    `${threads}`,
    formatMs(medianOf(each, ({ stepMs }) => stepMs)),
    medianOf(each, ({ examplesPerSecond }) => examplesPerSecond).toFixed(0),
    side === OURS ? '' : `${formatRatio(ratioByRound(speeds(OURS), speeds(side)))} as fast`,
    `${medianOf(each, ({ firstStepSeconds }) => firstStepSeconds).toFixed(2)} s`,
    formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
  ]);
}

const formatMs = (milliseconds: number) => `${milliseconds.toFixed(milliseconds < 10 ? 2 : 1)} ms`;

/** torch.compile keeps what it compiled here, as it does for a user from the second run on. */
const COMPILED = { TORCHINDUCTOR_CACHE_DIR: resolve('.cache', 'bench-venv', 'inductor') };

async function step(command: string, args: readonly string[]): Promise<StepFigures> {
  const sample: ProcessSample = await sampleProcess(command, args, COMPILED);
  const figures = JSON.parse(sample.stdout.trim().split('\n').at(-1) ?? '') as Omit<StepFigures, 'peakBytes'>;
  return { ...figures, peakBytes: sample.peakBytes };
}
