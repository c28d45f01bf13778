/** The Spark driver under a real Spark in local mode: the slow tier, see scripts/test-spark.sh. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { readArchitecture } from '../lib/formats/keras/keras-archive.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import type { EachResult } from '../lib/formats/stage-results.js';
import { freshModelFromKeras } from '../lib/model/keras/fresh-model.js';
import { findMnist, writeTinyDataset } from './datasets.js';
import { lastLine, programPath } from './programs.js';
import { finishRun, type ResultLine, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

// Seen from dist/test/.
const DRIVER = fileURLToPath(new URL('../../workflows/spark/federated_averaging.py', import.meta.url));
const submit = process.env.FEDBATCH_SPARK_SUBMIT;
const skip = submit === undefined ? 'no FEDBATCH_SPARK_SUBMIT: run scripts/test-spark.sh' : false;

const directory = sharedDirectory();

/** Submits the driver to two cores of this machine. */
async function submitRun(volume: string, flags: readonly string[], fedbatch = ['node', programPath('cli')]) {
  const spark = ['--master', 'local[2]', '--conf', 'spark.ui.enabled=false', '--conf', 'spark.task.cpus=1'];
  const args = [...spark, DRIVER, '--fedbatch', fedbatch.join(' '), ...flags, '--volume', volume];
  // spark-submit writes what its Python program tells, on stderr too, to stdout.
  const { exitCode, stdout } = await execa(submit ?? '', args, { reject: false });
  const result = exitCode === 0 ? (JSON.parse(lastLine(stdout)) as ResultLine) : undefined;
  return { exitCode, told: stdout, result };
}

describe('the Spark driver', { skip }, () => {
  let flags: readonly string[] = [];
  let local: ResultLine;
  const volume = join(directory, 'spark');

  before(async () => {
    const data = await writeTinyDataset(directory);
    flags = ['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1', '--seed', '3'];
    flags = [...flags, '--clients', '4', '--rounds', '2'];
    local = await finishRun(join(directory, 'local'), flags);
  });

  it('ends with the same models as a local run, every update included', async () => {
    const { exitCode, told, result } = await submitRun(volume, flags);
    assert.equal(exitCode, 0, told);
    assert.equal(result?.sha256, local.sha256);
    for (const round of [1, 2]) {
      const hashes = async (at: string) => (await roundOf(at, round)).reported.map(({ sha256 }) => sha256);
      const here = await hashes(join(directory, 'local'));
      assert.equal(here.length, 4);
      assert.deepEqual(await hashes(volume), here);
    }
  });

  it('finds everything done the second time, whatever the partitions, and goes on with more rounds', async () => {
    const more = [...flags, '--rounds', '3', '--partitions', '2', '--barrier'];
    const { exitCode, told, result } = await submitRun(volume, more);
    assert.equal(exitCode, 0, told);
    assert.match(told, /round 1: 4 clients, done before: skipped/);
    assert.equal(result?.rounds, 3);
  });

  it('trains a given model, a dense network of 128 on digits, to the bytes of a local run', async () => {
    const config = fileURLToPath(new URL('../../test/fixtures/dense128.json', import.meta.url));
    const [model, data] = [join(directory, 'dense128.keras'), findMnist() ?? 'digits'];
    const { modelConfig, kerasVersion } = await readArchitecture(config);
    const { weights } = freshModelFromKeras(modelConfig, { path: config, seed: 3, kerasVersion });
    await writeKerasFile(model, { modelConfig, weights, kerasVersion });
    const given = ['--init', model, '--data', data, '--clients', '3', '--rounds', '2', '--threads', '1'];
    const work = [...given, '--epochs', '1', '--batch', '64', '--seed', '3'];
    const here = await finishRun(join(directory, 'dense-local'), work);
    const { exitCode, told, result } = await submitRun(join(directory, 'dense-spark'), work);
    assert.equal(exitCode, 0, told);
    assert.equal(result?.sha256, here.sha256);
    assert.ok((result?.accuracy ?? 0) > 0.85, JSON.stringify(result));
  });

  it('runs a command of the user’s own as each client, and gathers what it gives in order', async () => {
    const script =
      'console.log(JSON.stringify({ rank: process.env.FEDBATCH_RANK, words: process.argv.slice(1) }))';
    const spark = ['--master', 'local[2]', '--conf', 'spark.ui.enabled=false', '--conf', 'spark.task.cpus=1'];
    const own = ['--fedbatch', `node ${programPath('cli')}`, '--each', '--data', join(volume, 'data')];
    const words = ['--', process.execPath, '-e', script, '{size}', '{shard}'];
    const { exitCode, stdout } = await execa(submit ?? '', [...spark, DRIVER, ...own, ...words], {
      reject: false,
    });
    assert.equal(exitCode, 0, stdout);
    const { results } = JSON.parse(lastLine(stdout)) as EachResult;
    assert.deepEqual(
      results.map((each) => ('result' in each ? each.result : each.reason)),
      [0, 1, 2, 3].map((rank) => ({ rank: `${rank}`, words: ['4', join(volume, 'data', `${rank}.npz`)] })),
    );
  });

  it('passes on the exit code of the run, and why', async () => {
    const wrong = await submitRun(join(directory, 'wrong'), [...flags, '--fraction', '7']);
    assert.equal(wrong.exitCode, 2, wrong.told);
    assert.match(wrong.told, /--fraction <share>' argument '7' is invalid/);
  });

  it('tells of an executor without the program, and the quorum decides', async () => {
    // The driver's own fedbatch works; what the executors start is not there.
    const program = join(directory, 'only-run.sh');
    await execa('sh', ['-c', `cat > "$0" && chmod +x "$0"`, program], {
      input: `#!/bin/sh\n[ "$1" = train ] && exit 127\nexec node ${programPath('cli')} "$@"\n`,
    });
    const { exitCode, told } = await submitRun(join(directory, 'without'), flags, [program]);
    assert.equal(exitCode, 5, told);
    assert.match(told, /train client \d: ended with exit code 127/);
  });

  it('passes on the last words and the exit code of a run that ended without waiting for its clients', async () => {
    const program = join(directory, 'impatient.sh');
    const request = `{"event":"train","tasks":[${[0, 1].map((id) => `{"id":${id},"command":[]}`).join()}]}`;
    await execa('sh', ['-c', `cat > "$0" && chmod +x "$0"`, program], {
      input: `#!/bin/sh\n[ $# = 0 ] && exit\necho '${request}'\nexec <&-\nsleep 1\necho 'Last words'\nexit 5\n`,
    });
    const { exitCode, told } = await submitRun(join(directory, 'impatient'), [], [program]);
    assert.equal(exitCode, 5, told);
    assert.match(told, /^Last words$/m);
    assert.doesNotMatch(told, /Traceback/);
  });
});
