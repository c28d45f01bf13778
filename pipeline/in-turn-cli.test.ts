/** Several clients in one pod: each has the bytes that it has alone, and what costs one of them costs it alone. */
import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { inTurnResultSchema, trainResultSchema } from '../lib/formats/stage-results.js';
import { writeTinyDataset } from '../test/datasets.js';
import { lastLine, runProgramFile } from '../test/programs.js';
import { projectRoot } from '../test/sources.js';
import { temporaryDirectory } from '../test/temporary-directory.js';

const WORK = ['--model', 'mlp', '--threads', '1', '--epochs', '1', '--batch', '20'];

/** Shards of four clients in a directory, of which those in `bad` are none. */
async function shards(directory: string, bad: readonly number[]): Promise<void> {
  const data = await writeTinyDataset(directory, 40);
  for (const client of [0, 1, 2, 3]) {
    const shard = join(directory, `${client}.npz`);
    await (bad.includes(client) ? writeFile(shard, 'no npz') : copyFile(data, shard));
  }
}

/** What the pod with this index came to. */
async function podOf(directory: string, index: number) {
  const files = ['--data', join(directory, '{client}.npz'), '--out', join(directory, '{client}.h5')];
  const own = ['--clients-per-pod', '2', '--retries', '1', '--round', '3', '--', ...files, ...WORK];
  const result = join(directory, `result-${index}`);
  const env = { FEDBATCH_CLIENTS: '0,1,3', JOB_COMPLETION_INDEX: `${index}`, FEDBATCH_RESULT_FILE: result };
  const ended = await runProgramFile('pipeline/in-turn-cli', own, { env });
  return { ...ended, left: await readFile(result, 'utf8') };
}

test('a pod trains its clients one after the other, each to the bytes that it has alone', async (t) => {
  const directory = await temporaryDirectory(t);
  await shards(directory, []);
  for (const [index, clients] of [[0, 1], [3]].entries()) {
    const { exitCode, stdout, stderr, left } = await podOf(directory, index);
    assert.equal(exitCode, 0, stderr);
    const told = inTurnResultSchema(trainResultSchema).parse(JSON.parse(left));
    assert.deepEqual(told, JSON.parse(lastLine(stdout)));
    assert.deepEqual(
      told.clients.map((each) =>
        'result' in each ? [each.client, each.result.client, each.result.round] : each,
      ),
      clients.map((client) => [client, client, 3]),
    );
    for (const client of clients) {
      const alone = join(directory, `alone-${client}.h5`);
      const files = ['--data', join(directory, `${client}.npz`), '--out', alone];
      const trained = await runProgramFile('trainer/cli', [
        ...files,
        ...WORK,
        '--client',
        `${client}`,
        '--round',
        '3',
      ]);
      assert.equal(trained.exitCode, 0, trained.stderr);
      assert.ok((await readFile(alone)).equals(await readFile(join(directory, `${client}.h5`))));
    }
  }
});

test('a client whose shard is no good costs nobody else; a pod without a good one ends as a trainer would', async (t) => {
  const directory = await temporaryDirectory(t);
  await shards(directory, [0, 3]);
  const some = await podOf(directory, 0);
  assert.equal(some.exitCode, 0, some.stderr);
  const [bad, good] = inTurnResultSchema(trainResultSchema).parse(JSON.parse(some.left)).clients;
  assert.ok(bad && 'reason' in bad && good && 'result' in good);
  assert.deepEqual([bad.client, bad.exitCode, good.client], [0, 3, 1]);
  assert.match(bad.reason, /0\.npz: expected an npz .*, found something that is not a zip/);
  assert.ok(some.stderr.includes(`train client 0: ${bad.reason}.`), some.stderr);
  const none = await podOf(directory, 1);
  assert.equal(none.exitCode, 3);
  assert.match(none.left, /3\.npz: expected an npz .*, found something that is not a zip/);
});

test('the image of the trainer holds all that this takes', async (t) => {
  const directory = await temporaryDirectory(t);
  await shards(directory, []);
  const dockerfile = await readFile(join(projectRoot, 'Dockerfile'), 'utf8');
  const [, listed = ''] = /image-files\.mjs \/images\/trainer ([^&]+)/.exec(dockerfile) ?? [];
  const programs = listed.split(/[\s\\]+/).filter((word) => word !== '');
  const image = join(directory, 'image');
  await execa('node', [join(projectRoot, 'scripts', 'image-files.mjs'), image, ...programs], {
    cwd: projectRoot,
  });
  const files = ['--data', join(directory, '{client}.npz'), '--out', join(directory, '{client}.h5')];
  const own = ['--clients-per-pod', '2', '--clients', '0,1', '--client-index', '0', '--', ...files, ...WORK];
  const { stdout } = await execa('node', [join(image, 'dist', 'pipeline', 'in-turn-cli.js'), ...own]);
  const told = inTurnResultSchema(trainResultSchema).parse(JSON.parse(lastLine(stdout)));
  assert.equal(told.clients.filter((each) => 'result' in each).length, 2);
});
