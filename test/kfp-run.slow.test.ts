/** The Kubeflow pipeline, run by the SDK's own runner for containers on podman: see scripts/test-containers.sh. */
import assert from 'node:assert/strict';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { toYaml } from '../k8s/manifests/templates.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import { renderWorkflow } from '../workflows/render-workflow.js';
import { podman } from './containers.js';
import { writeTinyDataset } from './datasets.js';
import { finishRun } from './runs.js';
import { settingsFromFlags } from './settings.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

const {
  FEDBATCH_IMAGES: prefix,
  FEDBATCH_IMAGES_TAG: tag = 'latest',
  FEDBATCH_KFP_PYTHON: python,
} = process.env;
const skip =
  (prefix === undefined || python === undefined) &&
  'scripts/test-containers.sh builds the images, has the kfp SDK and runs this';

const directory = sharedDirectory();
const FLAGS = [
  '--clients',
  '4',
  '--fraction',
  '0.5',
  '--rounds',
  '2',
  '--model',
  'mlp',
  '--batch',
  '20',
  '--seed',
  '3',
];
const image = (program: string) => `${prefix}${program}:${tag}`;

/** A directory for the claim, and the pipeline that uses it. Waits before retries are a tenth of what they are. */
async function makeJob(name: string, flags: readonly string[] = []) {
  const volume = join(directory, name);
  await mkdir(volume);
  const data = await writeTinyDataset(volume);
  await chown(volume, 10001, 10001);
  const run = settingsFromFlags(['--data', '/mnt/tiny.npz', ...FLAGS, ...flags]);
  const values = {
    SPLITTER_IMAGE: image('splitter'),
    TRAINER_IMAGE: image('trainer'),
    AGGREGATOR_IMAGE: image('aggregator'),
    EVALUATOR_IMAGE: image('evaluator'),
  };
  const objects = renderWorkflow('kfp', { ...run, values, threads: 1, isolates: true }).flatMap(
    (file) => file.objects,
  );
  const text = toYaml(objects);
  assert.ok(text.includes('backoffDuration: 10s'));
  const pipeline = join(directory, `${name}.yaml`);
  await writeFile(pipeline, text.replaceAll('backoffDuration: 10s', 'backoffDuration: 1s'));
  return { volume, data, pipeline };
}

describe('the Kubeflow pipeline by the SDK’s runner for containers', { skip }, () => {
  const socket = join(directory, 'podman.sock');
  const service = new AbortController();
  /** What the runner tells, without colours, and its exit code. */
  const runPipeline = async (pipeline: string, volume: string) => {
    const { exitCode, all } = await execa(
      python ?? '',
      [join(projectRoot, 'test', 'kfp_run.py'), pipeline, volume],
      {
        reject: false,
        all: true,
        env: { DOCKER_HOST: `unix://${socket}`, PYTHONWARNINGS: 'ignore' },
      },
    );
    return { exitCode, all: stripVTControlCharacters(all) };
  };
  const started = (told: string, task: string) => told.split(`Executing task '${task}'`).length - 1;

  before(async () => {
    void execa('podman', ['system', 'service', '--time', '0', `unix://${socket}`], {
      reject: false,
      cancelSignal: service.signal,
    });
    await until(async () => (await podman('--url', `unix://${socket}`, 'version')).exitCode === 0);
  });
  after(() => service.abort());

  it('ends with the model of a local run, though a trainer is killed once', async () => {
    const { volume, data, pipeline } = await makeJob('job', ['--epochs', '200']);
    const ending = runPipeline(pipeline, volume);
    let killed = false;
    void ending.finally(() => {
      killed = true;
    });
    await until(async () => {
      const { stdout } = await podman('ps', '--quiet', '--filter', `ancestor=${image('trainer')}`);
      const running = stdout.split('\n').filter((id) => id !== '');
      // The first that runs alone makes the initial model.
      const [trainer] = running.length === 2 ? running : [];
      if (trainer !== undefined)
        killed ||= (await podman('kill', '--signal', 'KILL', trainer)).exitCode === 0;
      return killed;
    });
    const { exitCode, all } = await ending;
    assert.equal(exitCode, 0, all);
    const local = await finishRun(join(directory, 'local'), [
      '--data',
      data,
      ...FLAGS,
      '--epochs',
      '200',
      '--threads',
      '1',
    ]);
    assert.equal(await sha256OfFile(join(volume, 'aggregated-model.h5'), 'the model'), local.sha256);
    // Two rounds of two clients, and the one that was killed.
    assert.deepEqual(
      [started(all, 'train'), started(all, 'aggregate'), started(all, 'split')],
      [5, 2, 1],
      all,
    );
  });

  it('fails with the task that fails, after all of its retries', async () => {
    const { volume, pipeline } = await makeJob('wrong', ['--data', '/mnt/none.npz']);
    const { exitCode, all } = await runPipeline(pipeline, volume);
    assert.equal(exitCode, 1, all);
    assert.match(all, /\/mnt\/none\.npz: expected /);
    assert.match(all, /Inner task failed: .*split/);
    assert.deepEqual([started(all, 'split'), started(all, 'init')], [4, 0], all);
  });
});

/** Asks again until it is so; a hang ends with the tier. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('it did not come to be within a minute');
}
