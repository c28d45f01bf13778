/** The pipe to the external trainer: what goes out together, what comes back to whom, and what happens when nothing does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { InterruptedError, StageError } from '../../lib/core/errors.js';
import { openTrainingPipe } from './training-pipe.js';

const { signal: never } = new AbortController();

function open() {
  const [stdin, stdout] = [new PassThrough(), new PassThrough({ encoding: 'utf8' })];
  const pipe = openTrainingPipe({ stdin, stdout });
  const train = (client: number, signal = never) =>
    pipe.give({ event: 'train', round: 2, client, command: ['train', `--client=${client}`] }, signal);
  const answer = (line: object) => stdin.write(`${JSON.stringify(line)}\n`);
  return { pipe, stdin, stdout, train, answer };
}

test('tasks of the same moment go out in one line, and each gets its own answer', async () => {
  const { pipe, stdout, train, answer } = open();
  const endings = [train(4), train(7)];
  const [line] = (await once(stdout, 'data')) as [string];
  assert.deepEqual(JSON.parse(line), {
    event: 'train',
    round: 2,
    tasks: [
      { id: 0, client: 4, command: ['train', '--client=4'] },
      { id: 1, client: 7, command: ['train', '--client=7'] },
    ],
  });
  answer({ id: 1, signal: 'SIGKILL', stdout: [], stderr: ['out of memory'] });
  answer({ id: 0, exitCode: 0, stdout: ['{}'], stderr: [] });
  const [first, second] = await Promise.all(endings);
  assert.deepEqual([first?.exitCode, first?.stdout], [0, ['{}']]);
  assert.deepEqual(
    [second?.exitCode, second?.signal, second?.stderr],
    [undefined, 'SIGKILL', ['out of memory']],
  );
  const later = train(9);
  const [next] = (await once(stdout, 'data')) as [string];
  assert.deepEqual(
    JSON.parse(next).tasks.map(({ id, client }: { id: number; client: number }) => [id, client]),
    [[2, 9]],
  );
  answer({ id: 2, exitCode: 3, stdout: [], stderr: [] });
  assert.equal((await later).exitCode, 3);
  pipe.close();
});

test('an answer that is none ends the run with that answer, and nothing is given away any more', async () => {
  const answers = ['ready', '[]', '{"id":0}', '{"id":5,"exitCode":0,"stdout":[],"stderr":[]}', 'null'];
  for (const text of answers) {
    const { stdin, train } = open();
    const ending = train(1);
    stdin.write(`${text}\n`);
    const isRefusal = (error: Error) => error instanceof StageError && error.message.includes(`"${text}"`);
    await assert.rejects(ending, isRefusal);
    await assert.rejects(train(2), isRefusal);
  }
});

test('the external trainer goes away: what is out fails', async () => {
  const { stdin, train } = open();
  const ending = train(1);
  stdin.end();
  await assert.rejects(ending, /train: the external trainer has closed stdin/);
});

test('an interrupted run waits for nobody', async () => {
  const stop = new AbortController();
  const { pipe, train } = open();
  const ending = train(1, stop.signal);
  stop.abort();
  await assert.rejects(ending, InterruptedError);
  await assert.rejects(train(2, stop.signal), InterruptedError);
  pipe.close();
});
