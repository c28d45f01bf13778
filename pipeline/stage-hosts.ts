/** Processes that run one stage after another, so that what they load is loaded once; one that fails takes its process along. */
import { InterruptedError } from '../lib/core/errors.js';
import type { VolumePaths } from '../lib/formats/volume.js';
import {
  type StageContext,
  type StageListeners,
  type StageRunner,
  type StageTask,
  stageName,
} from './rounds/target.js';
import {
  eachLine,
  lineSink,
  type ProcessEnding,
  passOn,
  runStage,
  stageError,
  startStage,
} from './stage-process.js';

/** The stages that rounds repeat. */
const HOSTED = ['train', 'aggregate', 'evaluate'] as const;

/** One stage, as the process that runs it is asked for it. */
export interface HostedRequest {
  /** For people, e.g. `train client 3 round 2`. */
  readonly name: string;
  /** The command that does it. */
  readonly stage: (typeof HOSTED)[number];
  readonly arguments: readonly string[];
}

/** The line on stderr by which a process takes a stage up. */
export const HOSTED_BEGUN = '{"event":"stage begun"}';

/** The line on stdout and on stderr behind which a stage that succeeded has told all it had to tell. */
export const HOSTED_DONE = '{"event":"stage done"}';

/** Runs stages in as few processes as there are stages at a time. */
export interface StageHosts {
  /** Runs a stage as {@link runStage} does. */
  readonly run: StageRunner;
  /** Ends the processes, of which none runs a stage. */
  close(): Promise<void>;
}

/**
 * For the run on the volume at `root`. No process is started before it is needed; stages that a run has once get a process
 * of their own.
 */
export function stageHosts({ root }: Pick<VolumePaths, 'root'>): StageHosts {
  const idle = new Set<StageHost>();
  const start = () => {
    const host = startHost(root);
    void host.ended.then(() => idle.delete(host));
    return host;
  };
  return {
    async run(task, context) {
      if (!isHosted(task)) return runStage(task, context);
      if (context.signal.aborted) throw new InterruptedError();
      for (;;) {
        const [host = start()] = idle;
        idle.delete(host);
        const ending = await host.run(task, context);
        // Killed while it was idle: another one takes the stage.
        if (ending === undefined) continue;
        if (ending.isReusable && !host.isOver()) idle.add(host);
        else host.end();
        return ending.lines;
      }
    },
    async close() {
      for (const host of idle) host.end();
      await Promise.all([...idle].map(({ ended }) => ended));
    },
  };
}

type HostedTask = StageTask & Pick<HostedRequest, 'stage'>;

const isHosted = (task: StageTask): task is HostedTask =>
  HOSTED.some((stage) => stage === task.stage) && task.runtime === undefined;

interface StageHost {
  /** Runs a stage; one at a time. Undefined where the process has ended since it did the last one. */
  run(task: HostedTask, context: StageContext & StageListeners): Promise<HostedEnding | undefined>;
  /** Lets the process end. */
  end(): void;
  isOver(): boolean;
  /** Resolves when the process has ended, however it did. */
  readonly ended: Promise<void>;
}

interface HostedEnding {
  /** What it wrote to stdout. */
  readonly lines: readonly string[];
  /** Native libraries beside ONNX Runtime cannot be loaded by one thread after the other, and keep a card's memory. */
  readonly isReusable: boolean;
}

/** The stage that a process runs now. */
interface Turn {
  readonly stdout: (line: string) => void;
  readonly stderr: (line: string) => void;
  /** A stream has told all of it. */
  done(): void;
  /** The process has ended instead. */
  lost(ending: ProcessEnding): void;
}

function startHost(root: string): StageHost {
  const stop = new AbortController();
  const child = startStage(
    { program: 'stage-host.js', arguments: [root] },
    { signal: stop.signal },
    { stdin: 'pipe', keepsOutput: false },
  );
  let turn: Turn | undefined;
  let isOver = false;
  let isUsed = false;
  const listen = (stream: 'stdout' | 'stderr') =>
    eachLine(child.iterable({ from: stream }), (line) => {
      if (line === HOSTED_DONE) turn?.done();
      else turn?.[stream](line);
    });
  const ended = Promise.all([child, listen('stdout'), listen('stderr')]).then(([result]) => {
    isOver = true;
    turn?.lost(result);
  });
  return {
    ended,
    isOver: () => isOver,
    end: () => child.stdin?.end(),
    run: (task, context) =>
      new Promise((resolve, reject) => {
        if (isOver) return resolve(undefined);
        const { signal, reporter, onOutput } = context;
        let isReusable = true;
        const sink = lineSink(task, {
          ...context,
          onEngine(note) {
            isReusable &&= note.engine.startsWith('onnx/');
            context.onEngine?.(note);
          },
        });
        const lines: string[] = [];
        const abort = () => stop.abort();
        const settle = (how: () => void) => {
          turn = undefined;
          signal.removeEventListener('abort', abort);
          reporter.close(task);
          if (signal.aborted) reject(new InterruptedError());
          else how();
        };
        let streams = 2;
        let hasBegun = false;
        turn = {
          stdout(line) {
            lines.push(line);
            onOutput?.(line);
          },
          stderr(line) {
            if (line === HOSTED_BEGUN) hasBegun = true;
            else passOn(line, sink);
          },
          done() {
            if (--streams > 0) return;
            isUsed = true;
            settle(() => resolve({ lines, isReusable }));
          },
          lost: (ending) =>
            settle(() => {
              if (isUsed && !hasBegun) resolve(undefined);
              else reject(stageError(ending, sink));
            }),
        };
        signal.addEventListener('abort', abort, { once: true });
        const round = task.round === undefined ? '' : ` round ${task.round}`;
        const name = `${stageName(task)}${round}`;
        const request: HostedRequest = { name, stage: task.stage, arguments: task.arguments };
        child.stdin?.write(`${JSON.stringify(request)}\n`);
      }),
  };
}
