/** MLflow's own server is told of runs, and tells them again: scripts/interop-mlflow.sh. */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { pointsOf } from '../observe/mlflow/points.js';
import { startChromium } from '../server/testing/chromium.js';
import { writeTinyDataset } from './datasets.js';
import { freePort } from './processes.js';
import { runCommand } from './program-host.js';
import { programPath } from './programs.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

const python = process.env.FEDBATCH_MLFLOW_PYTHON;
const skip = python === undefined && 'FEDBATCH_MLFLOW_PYTHON names no Python with mlflow';

/** The tabs of a run's page, and a text that each of them shows. */
const WAITED_FOR = {
  '': 'federation.clients',
  '/model-metrics': 'accuracy',
  '/artifacts': 'report.html',
} as const;

interface Told {
  readonly info: { readonly run_id: string; readonly run_name: string; readonly status: string };
  readonly data: {
    readonly params?: readonly { readonly key: string; readonly value: string }[];
    readonly tags?: readonly { readonly key: string; readonly value: string }[];
  };
}

describe("MLflow's own server", { skip }, () => {
  let directory = '';
  let url = '';
  let data = '';
  let server: { readonly pid?: number | undefined } | undefined;

  before(async () => {
    if (python === undefined) return;
    directory = sharedDirectory();
    data = await writeTinyDataset(directory, 300);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const store = ['--backend-store-uri', `sqlite:///${directory}/mlflow.db`];
    const files = ['--artifacts-destination', join(directory, 'artifacts')];
    const serve = ['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', `${port}`, '--workers', '1'];
    server = execa(python, [...serve, ...store, ...files], {
      reject: false,
      cwd: directory,
      detached: true,
      buffer: false,
    });
    // Its first answer waits for its database.
    await answering(`${url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default`);
  });
  after(() => {
    // Its workers are of its group.
    if (server?.pid !== undefined) process.kill(-server.pid, 'SIGKILL');
  });

  const ask = async <T>(path: string, body?: object): Promise<T> => {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    const response = await fetch(`${url}/api/2.0/mlflow/${path}`, body === undefined ? {} : init);
    const text = await response.text();
    assert.equal(response.status, 200, `${path}: ${text}`);
    return JSON.parse(text) as T;
  };
  const runsOf = async (experiment: string): Promise<readonly Told[]> => {
    const name = new URLSearchParams({ experiment_name: experiment });
    const found = await ask<{ experiment: { experiment_id: string } }>(`experiments/get-by-name?${name}`);
    const { runs = [] } = await ask<{ runs?: readonly Told[] }>('runs/search', {
      experiment_ids: [found.experiment.experiment_id],
      max_results: 100,
    });
    return runs;
  };
  const history = async (run: Told, key: string) => {
    const query = new URLSearchParams({ run_id: run.info.run_id, metric_key: key });
    const { metrics = [] } = await ask<{ metrics?: readonly { step: number; value: number }[] }>(
      `metrics/get-history?${query}`,
    );
    return metrics.map(({ step, value }) => [Number(step), value] as const);
  };
  const steps = async (run: Told, key: string) => (await history(run, key)).map(([step]) => step);
  const filesOf = async (run: Told) => {
    const { files = [] } = await ask<{ files?: readonly { path: string; file_size: number }[] }>(
      `artifacts/list?run_id=${run.info.run_id}`,
    );
    return files.map(({ path }) => path).sort();
  };
  const tagOf = (run: Told, key: string) => run.data.tags?.find((tag) => tag.key === key)?.value;
  const fedbatch = async (command: string, ...flags: readonly string[]) => {
    const shared = ['--data', data, '--model', 'mlp', '--batch', '20', '--mlflow', url];
    const { exitCode, stderr } = await runCommand(command, [...shared, ...flags], { cwd: directory });
    assert.equal(exitCode, 0, stderr);
    assert.doesNotMatch(stderr, /MLflow/, 'no warning');
  };

  it('has a run of 5 clients and 3 rounds: parameters, metrics of all, files; resumed, it is the same run', async () => {
    const volume = join(directory, 'run');
    const flags = [
      '--clients',
      '5',
      '--volume',
      volume,
      '--name',
      'five clients',
      '--mlflow-experiment',
      'one',
    ];
    await fedbatch('run', ...flags, '--rounds', '3');
    const [run, ...others] = await runsOf('one');
    assert.ok(run !== undefined && others.length === 0);
    assert.equal(run.info.status, 'FINISHED');
    assert.equal(run.info.run_name, 'five clients');
    const params = Object.fromEntries((run.data.params ?? []).map(({ key, value }) => [key, value]));
    assert.deepEqual([params['federation.clients'], params['training.batch']], ['5', '20']);
    const accuracy = JSON.parse(await readFile(join(volume, 'accuracy.json'), 'utf8')) as {
      accuracy: number;
    };
    const told = await history(run, 'accuracy');
    assert.deepEqual(
      told.map(([step]) => step),
      [1, 2, 3],
    );
    assert.ok(Math.abs((told[2]?.[1] ?? 0) - accuracy.accuracy) < 1e-12);
    for (const client of [0, 1, 2, 3, 4])
      assert.deepEqual(await steps(run, `client-${client}/loss`), [1, 2, 3]);
    assert.deepEqual(await filesOf(run), ['accuracy.json', 'aggregated-model.h5', 'report.html']);
    const model = await fetch(
      `${url}/get-artifact?${new URLSearchParams({ run_uuid: run.info.run_id, path: 'aggregated-model.h5' })}`,
    );
    const bytes = Buffer.from(await model.arrayBuffer());
    assert.ok(bytes.equals(await readFile(join(volume, 'aggregated-model.h5'))), 'the model is whole');

    await fedbatch('run', ...flags, '--rounds', '5');
    const [again, ...more] = await runsOf('one');
    assert.ok(again !== undefined && more.length === 0);
    assert.equal(again.info.run_id, run.info.run_id);
    for (const key of ['accuracy', 'client-4/loss', 'seconds/train'])
      assert.deepEqual(await steps(again, key), [1, 2, 3, 4, 5], key);
    assert.equal(tagOf(again, 'federation.rounds'), '5');
  });

  it('shows the trials of a sweep, and the runs of several seeds, below a run of their own', async () => {
    const small = ['--clients', '2', '--rounds', '1'];
    const grid = ['--grid', 'learning-rate=0.01,0.001', '--parallel', '2'];
    await fedbatch(
      'sweep',
      ...small,
      ...grid,
      '--out',
      join(directory, 'sweep'),
      '--mlflow-experiment',
      'sweep',
    );
    const sweep = await runsOf('sweep');
    const [parent] = sweep.filter((run) => tagOf(run, 'fedbatch.kind') === 'sweep');
    const trials = sweep.filter((run) => tagOf(run, 'mlflow.parentRunId') === parent?.info.run_id);
    assert.ok(parent !== undefined);
    assert.deepEqual([sweep.length, trials.length], [3, 2]);
    assert.ok([parent, ...trials].every(({ info }) => info.status === 'FINISHED'));
    assert.deepEqual(await filesOf(parent), ['sweep.html', 'sweep.json']);
    assert.equal((await history(parent, 'best.accuracy')).length, 1);

    const seeds = ['--seeds', '2', '--volume', join(directory, 'seeds'), '--mlflow-experiment', 'seeds'];
    await fedbatch('run', ...small, ...seeds);
    const repeated = await runsOf('seeds');
    const [above] = repeated.filter((run) => tagOf(run, 'fedbatch.kind') === 'seeds');
    const below = repeated.filter((run) => tagOf(run, 'mlflow.parentRunId') === above?.info.run_id);
    assert.deepEqual(below.map(({ info }) => info.run_name).sort(), ['seed 0', 'seed 1']);
    assert.ok(above !== undefined);
    assert.equal((await history(above, 'accuracy.mean')).length, 1);
  });

  it('takes a loss that is no number', async () => {
    const experiment = await ask<{ experiment_id: string }>('experiments/create', { name: 'diverged' });
    const { run } = await ask<{ run: Told }>('runs/create', { ...experiment, start_time: Date.now() });
    const event = { event: 'update', round: 1, client: 0, examples: 9, seconds: 1, loss: null } as const;
    const metrics = pointsOf({ ...event, time: new Date().toISOString() });
    await ask('runs/log-batch', { run_id: run.info.run_id, metrics });
    const told = await history(run, 'client-0/loss');
    assert.deepEqual(
      told.map(([step]) => step),
      [1],
    );
    assert.ok(Number.isNaN(Number(told[0]?.[1])));
    assert.equal((await history(run, 'client-0/examples'))[0]?.[1], 9);
  });

  const skipPicture = process.env.FEDBATCH_SCREENSHOTS === undefined && 'FEDBATCH_SCREENSHOTS is not set';
  it('shows a run of 5 clients and 10 rounds in a browser', { skip: skipPicture }, async () => {
    const flags = ['--clients', '5', '--rounds', '10', '--mlflow', url, '--mlflow-experiment', 'pictures'];
    const volume = ['--volume', join(directory, 'pictures'), '--name', 'five clients, ten rounds'];
    await execa(process.execPath, [
      programPath('cli'),
      'run',
      '--data',
      data,
      '--model',
      'mlp',
      ...flags,
      ...volume,
    ]);
    const [run] = await runsOf('pictures');
    const name = new URLSearchParams({ experiment_name: 'pictures' });
    const { experiment } = await ask<{ experiment: { experiment_id: string } }>(
      `experiments/get-by-name?${name}`,
    );
    const browser = await startChromium();
    try {
      const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
      const photograph = async (tab: keyof typeof WAITED_FOR) => {
        await page.goto(`${url}/#/experiments/${experiment.experiment_id}/runs/${run?.info.run_id}${tab}`);
        await page.getByText(WAITED_FOR[tab]).first().waitFor({ timeout: 60_000 });
        await sleep(5_000);
        const file = `mlflow${tab.replace('/', '-')}.png`;
        await page.screenshot({ path: join(projectRoot, 'test-artifacts', file) });
      };
      await mkdir(join(projectRoot, 'test-artifacts'), { recursive: true });
      await photograph('/model-metrics');
      await photograph('');
      await photograph('/artifacts');
    } finally {
      await browser.close();
    }
  });
});

/** Resolves when the server is there. It loads for a while. */
async function answering(address: string): Promise<void> {
  for (let attempt = 0; attempt < 240; attempt++) {
    const isThere = await fetch(address).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isThere) return;
    await sleep(500);
  }
  throw new Error(`${address} does not answer`);
}
