/** Stages one after another in one process: the same work as in one of their own, and nothing lost with a process. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExitCode, InterruptedError, StageError } from '../lib/core/errors.js';
import { silentReporter } from '../lib/observability/events.js';
import { writeTinyDataset } from '../test/datasets.js';
import { runningWith } from '../test/processes.js';
import { trainingFor, waitFor } from '../test/runs.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import type { StageTask } from './rounds/target.js';
import { stageHosts } from './stage-hosts.js';
import { runStage } from './stage-process.js';

const context = (signal = new AbortController().signal) => ({ reporter: silentReporter, signal });

/** The training of a client on the same data, to a file of its own. */
function training(directory: string, client: number, epochs = 1): StageTask & { readonly out: string } {
  const out = join(directory, `${client}.h5`);
  const data = ['--data', join(directory, 'tiny.npz'), '--out', out, '--client', `${client}`];
  const work = ['--model', 'mlp', '--threads', '1', '--epochs', `${epochs}`];
  return { stage: 'train', client, round: 2, program: 'trainer/cli.js', arguments: [...data, ...work], out };
}

test('what follows in the same process has the bytes that it has in one of its own', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeTinyDataset(directory, 40);
  const hosts = stageHosts({ root: directory });
  const tasks = [0, 1].map((client) => training(directory, client));
  const results: Record<string, unknown>[] = [];
  const processes = new Set<number>();
  for (const task of tasks) {
    const lines = await hosts.run(task, context());
    results.push(JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>);
    for (const pid of runningWith(directory)) processes.add(pid);
  }
  assert.equal(processes.size, 1);
  assert.deepEqual(
    results.map(({ client }) => client),
    [0, 1],
  );
  await hosts.close();
  assert.deepEqual(runningWith(directory), []);
  const hosted = await Promise.all(tasks.map(({ out }) => readFile(out)));
  for (const [at, task] of tasks.entries()) {
    const [line = ''] = (await runStage(task, context())).slice(-1);
    assert.equal((JSON.parse(line) as Record<string, unknown>).sha256, results[at]?.sha256);
    assert.ok((await readFile(task.out)).equals(hosted[at] as Buffer));
  }
});

test('a stage that refuses its data says so as in a process of its own, and the next one is done', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeTinyDataset(directory, 40);
  const hosts = stageHosts({ root: directory });
  const good = training(directory, 0);
  const bad = { ...good, arguments: [...good.arguments, '--init', join(directory, 'none.h5')] };
  const failureOf = async (running: Promise<unknown>) => {
    const error: unknown = await running.catch((reason: unknown) => reason);
    assert.ok(error instanceof StageError, String(error));
    return { message: error.message, exitCode: error.exitCode };
  };
  await hosts.run(good, context());
  const failure = await failureOf(hosts.run(bad, context()));
  assert.deepEqual(failure, await failureOf(runStage(bad, context())));
  assert.equal(failure.exitCode, ExitCode.data);
  await hosts.run(good, context());
  await hosts.close();
  assert.deepEqual(runningWith(directory), []);
});

test('a process that is killed takes one stage along, or none where it had nothing to do', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeTinyDataset(directory, 40);
  const hosts = stageHosts({ root: directory });
  const endless = hosts.run(training(directory, 3, 100_000), context());
  await waitFor(() => trainingFor(directory).length === 1);
  const [working] = trainingFor(directory);
  assert.deepEqual([working?.client, working?.round], [3, 2]);
  process.kill(working?.pid ?? 0, 'SIGKILL');
  await assert.rejects(
    endless,
    /^StageError: train client 3: was killed \(SIGKILL\), perhaps because memory ran out\.$/,
  );
  await hosts.run(training(directory, 0), context());
  for (const pid of runningWith(directory)) process.kill(pid, 'SIGKILL');
  await hosts.run(training(directory, 1), context());
  await hosts.close();
});

test('a signal ends the stage that works, also in a thread that has trained before, and its process', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeTinyDataset(directory, 40);
  const hosts = stageHosts({ root: directory });
  await hosts.run(training(directory, 2), context());
  const stop = new AbortController();
  const endless = hosts.run(training(directory, 0, 100_000), context(stop.signal));
  await waitFor(() => trainingFor(directory).length === 1);
  stop.abort();
  await assert.rejects(endless, InterruptedError);
  await assert.rejects(hosts.run(training(directory, 1), context(stop.signal)), InterruptedError);
  await hosts.close();
  await waitFor(() => runningWith(directory).length === 0);
});
