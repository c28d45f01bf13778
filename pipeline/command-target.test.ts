/** Which failures of a trainer are tried again, which are not, and what a deadline makes of them: on real processes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { ExitCode, InterruptedError, StageError } from '../lib/core/errors.js';
import { silentReporter } from '../lib/observability/events.js';
import { commandTarget } from './command-target.js';
import type { StageCommand } from './commands/stage-commands.js';
import type { CommandEnding, LostCommand } from './rounds/target.js';
import { runStage } from './stage-process.js';

/** The clients of a round, of as many as there is room for one. */
const commandsOf = (clients: readonly number[]): readonly StageCommand[] =>
  clients.map((client) => ({
    ...{ stage: 'train', round: 2, client, program: 'trainer/cli.js', arguments: [], reads: [], writes: [] },
  }));

interface Options {
  readonly clients: readonly number[];
  readonly retries: number;
  readonly deadlineSeconds: number;
  readonly signal: AbortSignal;
}

/** Executes the training of clients whose processes behave like this, one after the other; the last behaviour stays. */
async function attempt(behaviours: readonly string[], options: Partial<Options> = {}) {
  const { clients = [4], retries = 2, deadlineSeconds, signal = new AbortController().signal } = options;
  let started = 0;
  const retried: (LostCommand & { readonly retry: number })[] = [];
  const target = commandTarget({ cores: 1, jobs: 1, threads: 1 }, (command, context) => {
    const behaviour = behaviours[Math.min(started++, behaviours.length - 1)] ?? '';
    return runStage({ ...command, program: 'test/programs/stage.js', arguments: [behaviour] }, context);
  });
  const told: CommandEnding<Answer>[] = [];
  const endings = await target
    .execute(commandsOf(clients), {
      ...{ reporter: silentReporter, signal, retries, deadlineSeconds, schema: answerSchema },
      onRetry: async (lost, retry) => void retried.push({ ...lost, retry }),
      onEnding: async (ending) => void told.push(ending),
    })
    .catch((error: unknown) => ({ thrown: error }));
  if (!('thrown' in endings)) assert.deepEqual(told, endings, 'each is told as it ends');
  const [last] = 'thrown' in endings ? [endings] : endings.slice(-1);
  assert.ok(last !== undefined);
  const outcome: CommandEnding<Answer> | { readonly thrown: unknown } = last;
  return { outcome, started, retried };
}

/** What the test's program prints. */
const answerSchema = z.object({ answer: z.number() });
type Answer = z.infer<typeof answerSchema>;

describe('a command of a target', () => {
  it('tries crashes, kills and bugs again, tells each, and reports the success', async () => {
    const { outcome, started, retried } = await attempt(['crash', 'vanish', 'succeed']);
    assert.ok('result' in outcome);
    assert.deepEqual(outcome.result, { answer: 42 });
    assert.equal(started, 3);
    assert.deepEqual(
      retried.map(({ command, retry }) => ({ round: command.round, client: command.client, retry })),
      [1, 2].map((retry) => ({ round: 2, client: 4, retry })),
    );
    assert.match(String(retried[0]?.reason), /^was ended by SIGABRT: Segmentation fault, or so$/);
    assert.equal(retried[1]?.reason, 'was killed (SIGKILL), perhaps because memory ran out');
  });

  it('takes a deadline of any decimals', async () => {
    // 32.3 s are 32299.999999999996 ms.
    const { outcome } = await attempt(['succeed'], { deadlineSeconds: 32.3 });
    assert.ok('result' in outcome);
  });

  it('gives up after the last retry, with the last reason', async () => {
    const { outcome, started } = await attempt(['break', 'vanish'], { retries: 1 });
    assert.ok('reason' in outcome && outcome.error instanceof StageError);
    assert.equal(outcome.reason, 'was killed (SIGKILL), perhaps because memory ran out');
    assert.equal(started, 2);
    assert.equal((await attempt(['vanish'], { retries: 0 })).started, 1);
  });

  it('does not try bad input again', async () => {
    const { outcome, started } = await attempt(['refuse', 'succeed']);
    assert.ok('reason' in outcome);
    assert.equal(outcome.reason, 'ended with exit code 3: 7.npz: expected a shard, found a stone');
    assert.equal(started, 1);
  });

  it('throws what is wrong with every client: the configuration', async () => {
    const { outcome, started } = await attempt(['--nonsense', 'succeed']);
    assert.ok('thrown' in outcome && outcome.thrown instanceof StageError);
    assert.equal(outcome.thrown.exitCode, ExitCode.usage);
    assert.equal(started, 1);
  });

  it('stops at the deadline who works and who is deaf, and starts nobody after it', async () => {
    for (const behaviour of ['wait', 'stall']) {
      const { outcome, started } = await attempt([behaviour], { deadlineSeconds: 1 });
      assert.ok('reason' in outcome);
      assert.deepEqual([outcome.reason, outcome.error, started], ['late: not done within 1 s', undefined, 1]);
    }
    // There is room for one at a time.
    const late = await attempt(['wait'], { clients: [4, 5], deadlineSeconds: 1 });
    assert.ok('reason' in late.outcome);
    assert.deepEqual([late.outcome.command.client, late.outcome.reason], [5, 'late: not started within 1 s']);
    assert.equal(late.started, 1);
  });

  it('is interrupted with the run: that is no fault of the client', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    const { outcome } = await attempt(['wait'], { deadlineSeconds: 60, signal: stop.signal });
    assert.ok('thrown' in outcome && outcome.thrown instanceof InterruptedError);
  });
});
