/**
 * Runs programs one after the other in one process, for tests of what a program does and not of how it starts: what all of
 * them load is loaded once. Each request of the process that started it names a program, its arguments and where it runs.
 * The stages of a run run here too, side by side as it wants them, but for those that a signal is to strike.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { PassThrough } from 'node:stream';
import { type CommandBuilder, runArguments, runProgram } from '../../lib/cli/program.js';
import { InterruptedError } from '../../lib/core/errors.js';
import type { Reporter } from '../../lib/observability/events.js';
import { runCli } from '../../pipeline/cli.js';
import { eachCli } from '../../pipeline/each-cli.js';
import type { GivenTask, TrainingPipe } from '../../pipeline/piped/training-pipe.js';
import type { ServiceStarter, StageRunner } from '../../pipeline/rounds/target.js';
import {
  lineSink,
  passOn,
  runStage,
  type StageEnding,
  settleStage,
  stageError,
} from '../../pipeline/stage-process.js';
import { sweepCli } from '../../pipeline/sweep/cli.js';
import { killedAt } from '../processes.js';
import { builderOf } from '../programs.js';
import type { KillPoint } from './kill-at.js';

/** A stage that is a process, and is killed or halted there; tried again, it runs here like the others. */
export interface StruckStage extends KillPoint {
  /** Whose training it is, of one client. */
  readonly client?: number;
}

/** A program to run. */
export interface HostRequest {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly struck: readonly StruckStage[];
  /** Whether the process that started this one trains the clients of a run. */
  readonly isTrainedOutside: boolean;
}

/** What the process tells the one that started it: a client to train, or how the program ended. */
export type HostMessage =
  | { readonly task: GivenTask & { readonly id: number } }
  | { readonly finished: { readonly exitCode: number } & Output };

/** What a program or a stage writes. */
interface Output {
  stdout: string;
  stderr: string;
}

/** The output of whoever is running. */
const outputs = new AsyncLocalStorage<Output>();
/** That of the program, for threads of its stages, which belong to nobody. */
let kept: Output = { stdout: '', stderr: '' };

for (const name of ['stdout', 'stderr'] as const) {
  process[name].write = (chunk: string | Uint8Array) => {
    const output = outputs.getStore() ?? kept;
    output[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    return true;
  };
}

/** Runs a program with its output kept. */
async function runKept(build: CommandBuilder, args: readonly string[]) {
  kept = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  // A program lets go of the channel, so as to end; this one waits for what comes through it.
  const waiting = setInterval(() => undefined, 60_000);
  try {
    await runProgram((context) => build({ ...context, stays: true }), args);
    return { exitCode: Number(process.exitCode ?? 0), ...kept };
  } finally {
    for (const name of ['stdout', 'stderr'] as const) process[name].removeAllListeners('error');
    process.exitCode = undefined;
    clearInterval(waiting);
    process.channel?.ref();
  }
}

/** The stages that are still to be struck. */
const toStrike = new Set<StruckStage>();

/** Runs a stage here as its process would: the same arguments, result and failures. */
const runStageHere: StageRunner = async (task, context) => {
  const { signal } = context;
  if (signal.aborted) throw new InterruptedError();
  for (const point of toStrike) {
    if (task.program !== point.program || task.client !== point.client) continue;
    toStrike.delete(point);
    const runtime = {
      nodeFlags: [],
      ...task.runtime,
      environment: { ...task.runtime?.environment, ...killedAt(point) },
    };
    return runStage({ ...task, runtime }, context);
  }
  const output = { stdout: '', stderr: '' };
  const lines: string[] = [];
  const command = await builderOf(task.stage === 'each' ? 'as-client' : task.stage);
  const exitCode = await outputs.run(output, () =>
    runArguments(command, task.arguments, { reporter: jsonLines(lines), signal, stays: true }),
  );
  if (signal.aborted) throw new InterruptedError();
  const stderr = [...output.stderr.split('\n').filter((line) => line !== ''), ...lines];
  return settleStage(task, { exitCode, stdout: output.stdout.trimEnd().split('\n'), stderr }, context);
};

/** Runs the simulator here as its process would. */
const startSimulatorHere: ServiceStarter = (task, context) => {
  const stdin = new PassThrough();
  const stdout = { write: (text: string) => context.onOutput?.(text.trimEnd()) };
  const sink = lineSink(task, context);
  const lines = { push: (line: string) => passOn(line, sink) };
  const answering = async () => {
    const { simulatorCli } = await import('../../simulator/cli.js');
    const output = { stdout: '', stderr: '' };
    const exitCode = await outputs.run(output, () =>
      runArguments((program) => simulatorCli(program, { stdin, stdout }), task.arguments, {
        ...{ reporter: jsonLines(lines), signal: context.signal },
      }),
    );
    for (const line of output.stderr.split('\n')) passOn(line, sink);
    if (context.signal.aborted) throw new InterruptedError();
    if (exitCode !== 0) throw stageError({ exitCode }, sink);
  };
  const write = (line: string) => void stdin.write(`${line}\n`);
  return { write, end: () => void stdin.end(), ended: answering() };
};
const stages: StageRunner = Object.assign(runStageHere, { service: startSimulatorHere });

/** Collects what a stage tells as the lines of `--log-format json`. */
function jsonLines(lines: { push(line: string): unknown }): Reporter {
  const write = (level: string) => (msg: string, fields: object | undefined) =>
    void lines.push(JSON.stringify({ level, ...fields, msg }));
  const event = (name: string) => (facts: object) =>
    void lines.push(JSON.stringify({ event: name, ...facts }));
  return {
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    progress: event('progress'),
    step: write('info'),
    round: event('round'),
    close() {},
  };
}

/** Clients that somebody else trains, by the number of the request. */
const trained = new Map<number, (ending: StageEnding) => void>();

/** Has the process that started this one train the clients. */
const trainOutside: TrainingPipe = {
  give: (task) =>
    new Promise((resolve) => {
      const id = trained.size;
      trained.set(id, resolve);
      process.send?.({ task: { id, ...task } });
    }),
  close: () => undefined,
};

/** What runs a command as a request wants it. */
async function buildFor({ program, struck, isTrainedOutside }: HostRequest): Promise<CommandBuilder> {
  if (program === 'sweep') return (context) => sweepCli(context, { stages });
  if (program === 'each') return (context) => eachCli(context, { stages });
  if (program !== 'run') return await builderOf(program);
  toStrike.clear();
  for (const stage of struck) toStrike.add(stage);
  const trainers = isTrainedOutside ? { openTrainers: async () => trainOutside } : {};
  return (context) => runCli(context, { stages, ...trainers });
}

let last: Promise<unknown> = Promise.resolve();
process.on('message', (message: HostRequest | (StageEnding & { readonly id: number })) => {
  if ('id' in message) {
    trained.get(message.id)?.(message);
    return;
  }
  last = last.then(async () => {
    process.chdir(message.directory);
    process.send?.({ finished: await runKept(await buildFor(message), message.args) });
  });
});
process.on('disconnect', () => process.exit());
