/** How the pipeline takes what a stage does: succeed, refuse, crash, vanish, stall. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { ExitCode, InterruptedError, StageError } from '../lib/core/errors.js';
import { type ProgressEvent, silentReporter } from '../lib/observability/events.js';
import { isRunning } from '../test/processes.js';
import { waitFor } from '../test/runs.js';
import type { StageTask } from './rounds/target.js';
import { lastJsonLine, runStage } from './stage-process.js';

const STAGE = fileURLToPath(new URL('../test/programs/stage.js', import.meta.url));

const task = (behaviour: string): StageTask => ({
  stage: 'train',
  client: 1,
  program: 'test/programs/stage.js',
  arguments: [behaviour],
});
const context = () => ({ reporter: silentReporter, signal: new AbortController().signal });

/** The error that a behaviour ends in. */
async function failure(behaviour: string): Promise<StageError> {
  const error: unknown = await runStage(task(behaviour), context()).catch((reason: unknown) => reason);
  assert.ok(error instanceof StageError, String(error));
  return error;
}

test('a stage that succeeds: its lines are returned, its progress carries the right client, its warnings its name', async () => {
  const events: ProgressEvent[] = [];
  const said: string[] = [];
  const reporter = {
    ...silentReporter,
    progress: (event: ProgressEvent) => void events.push(event),
    info: (message: string) => void said.push(message),
    warn: (message: string) => void said.push(message),
  };
  const lines = await runStage(task('succeed'), { ...context(), reporter });
  assert.deepEqual(lastJsonLine(task('succeed'), lines, z.object({ answer: z.number() })), { answer: 42 });
  assert.deepEqual(events, [
    { stage: 'train', client: 1, done: 10, total: 20, unit: 'examples', epoch: 1, epochs: 2 },
    { stage: 'train', client: 1, done: 20, total: 20, unit: 'examples', epoch: 2, epochs: 2 },
  ]);
  assert.deepEqual(said, ['train client 1: look out']);
});

test('a stage whose result is not understood is a failure that shows the line', async () => {
  const lines = await runStage(task('succeed'), context());
  assert.throws(
    () => lastJsonLine(task('succeed'), lines, z.object({ question: z.string() })),
    /^StageError: train client 1: ended well, but its result was not understood: "{"answer":42}"\.$/,
  );
});

test('a stage that refuses its data: its sentence, and its exit code', async () => {
  const { message, exitCode } = await failure('refuse');
  assert.equal(message, 'train client 1: ended with exit code 3: 7.npz: expected a shard, found a stone.');
  assert.equal(exitCode, ExitCode.data);
});

test('wrong usage is passed on too', async () => {
  const { message, exitCode } = await failure('--nonsense');
  assert.match(message, /^train client 1: ended with exit code 2: unknown option '--nonsense'$/);
  assert.equal(exitCode, ExitCode.usage);
});

test('a bug in a stage, a crash and a kill are failures of the stage', async () => {
  const bug = await failure('break');
  assert.match(bug.message, /ended with exit code 1: undefined is no function/);
  assert.equal(bug.exitCode, ExitCode.stage);
  const crash = await failure('crash');
  assert.match(crash.message, /^train client 1: was ended by SIGABRT: Segmentation fault, or so/);
  assert.equal(crash.exitCode, ExitCode.stage);
  assert.match((await failure('vanish')).message, /was killed \(SIGKILL\), perhaps because memory ran out/);
});

test('a stage that is stopped ends gently; a deaf one is killed', async () => {
  for (const behaviour of ['wait', 'stall']) {
    const stop = new AbortController();
    let pid = 0;
    const onOutput = (line: string) => {
      pid = Number(line);
      stop.abort();
    };
    await assert.rejects(
      runStage(task(behaviour), { reporter: silentReporter, signal: stop.signal, onOutput }),
      InterruptedError,
    );
    assert.equal(isRunning(pid), false, `${behaviour} is gone`);
  }
});

test('Ctrl-C, `kill` and a terminal that is closed stop a program, which says so', async () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const program = execa(process.execPath, [STAGE, 'wait'], { reject: false });
    await once(program.stdout, 'data');
    program.kill(signal);
    const { exitCode, stderr } = await program;
    assert.deepEqual([exitCode, stderr], [ExitCode.interrupted, 'error: Interrupted.'], signal);
  }
});

test('a stage does not outlive a pipeline that was killed outright', async () => {
  const program = `import { fork } from 'node:child_process'; fork(${JSON.stringify(STAGE)}, ['wait'], { execArgv: [] });`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(`${line}`);
  assert.ok(isRunning(pid));
  parent.kill('SIGKILL');
  await waitFor(() => !isRunning(pid));
});
