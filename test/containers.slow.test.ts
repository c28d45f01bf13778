/** The images, run as a cluster runs them: the whole job, twice, with the model of the local pipeline at the end. */
import assert from 'node:assert/strict';
import { chown, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Values } from '../k8s/manifests/placeholders.js';
import { readStage, type TemplateStage } from '../k8s/manifests/stages.js';
import { fillTemplate } from '../k8s/manifests/templates.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { type Ended, endOfPod, hardened, type Place, podman, podmanOrThrow, startPod } from './containers.js';
import { lastLine, runProgramFile } from './programs.js';
import { projectRoot } from './sources.js';

/** Before the images' names, e.g. `localhost/fedbatch/`; scripts/test-containers.sh builds them and names it. */
const PREFIX = process.env.FEDBATCH_IMAGES;
const TAG = process.env.FEDBATCH_IMAGES_TAG ?? 'latest';
const skip = PREFIX === undefined && 'scripts/test-containers.sh builds the images and runs this';
const image = (program: string) => `${PREFIX}${program}:${TAG}`;

const CLIENTS = 3;
/** What the cluster is asked for, and the same of the local pipeline. */
const VALUES: Values = {
  WORKER_NUMBER: `${CLIENTS}`,
  EPOCH: '2',
  BATCH: '50',
  MODEL: 'mlp',
  SEED: '5',
  DATASET: '/mnt/digits.npz',
  CLAIM: 'fedbatch-test',
  SPLITTER_IMAGE: image('splitter'),
  TRAINER_IMAGE: image('trainer'),
  AGGREGATOR_IMAGE: image('aggregator'),
  EVALUATOR_IMAGE: image('evaluator'),
  SERVER_IMAGE: image('server'),
};
// A container has one processor, as the templates ask; with another number of threads sums end in other bits.
const LOCAL = [
  '--threads',
  '1',
  '--clients',
  `${CLIENTS}`,
  '--epochs',
  '2',
  '--batch',
  '50',
  '--model',
  'mlp',
  '--seed',
  '5',
];

/** One way to run a stage, for client `index` where it trains. */
type Way = (
  stage: TemplateStage,
  place: Place,
  options?: { index?: number; values?: Values },
) => Promise<Ended>;

const asContainers: Way = (name, place, { index, values = VALUES } = {}) => {
  const { image, args, env } = readStage(name, values);
  const variables = index === undefined ? env : { ...env, JOB_COMPLETION_INDEX: `${index}` };
  const set = Object.entries(variables).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  return podman('run', '--rm', ...hardened(place), ...set, image, ...args);
};

const asPods: Way = async (stage, place, { index, values = VALUES } = {}) => {
  const { job } = readStage(stage, values);
  const name = `fedbatch-test-${stage}${index === undefined ? '' : `-${index}`}`;
  const { template } = job.spec ?? {};
  assert.ok(template !== undefined);
  const pod = { name, template, ...(index === undefined ? {} : { completionIndex: index }) };
  return endOfPod(name, await startPod(pod, place));
};

describe('the images', { skip }, () => {
  let root: string;
  let expected: { readonly sha256: string; readonly accuracy: number };
  const places: Place[] = [];

  /** A directory that belongs to the user of the images, and the claim that leads to it. */
  const makePlace = async (name: string): Promise<Place> => {
    const volume = join(root, name);
    await mkdir(volume);
    const { exitCode, stderr } = await runProgramFile(
      ...([
        'datasets/cli',
        ['digits', '--out', join(volume, 'digits.npz'), '--train', '600', '--test', '100'],
      ] as const),
    );
    assert.equal(exitCode, 0, stderr);
    await chown(volume, 10001, 10001);
    const place = { volume, scratch: root };
    places.push(place);
    return place;
  };
  const claim = async ({ volume }: Place) => {
    await podman('volume', 'rm', '--force', 'fedbatch-test');
    await podmanOrThrow(
      ...['volume', 'create', '--opt', 'type=none', '--opt', `device=${volume}`, '--opt', 'o=bind'],
      'fedbatch-test',
    );
  };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    const { volume } = await makePlace('local');
    const args = ['--data', join(volume, 'digits.npz'), ...LOCAL, '--volume', join(volume, 'run'), '--json'];
    const { exitCode, stdout, stderr } = await runProgramFile('pipeline/cli', args);
    assert.equal(exitCode, 0, stderr);
    expected = JSON.parse(lastLine(stdout)) as typeof expected;
  });
  after(async () => {
    await podman('volume', 'rm', '--force', 'fedbatch-test');
    await rm(root, { recursive: true, force: true });
  });

  it('start Node without a shell, as nobody in particular, and know their version', async () => {
    const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as {
      version: string;
    };
    const place = { volume: root, scratch: root };
    for (const program of ['splitter', 'trainer', 'aggregator', 'evaluator', 'server', 'pipeline']) {
      const [facts] = JSON.parse(await podmanOrThrow('image', 'inspect', image(program))) as {
        Config: { User: string; Entrypoint: string[]; Labels: Record<string, string> };
        Healthcheck?: unknown;
      }[];
      assert.equal(facts?.Config.User, '10001:10001');
      assert.equal(facts.Config.Entrypoint[0], 'node');
      assert.equal(facts.Config.Labels['org.opencontainers.image.version'], version);
      assert.equal(facts.Healthcheck !== undefined, program === 'server');
      const { exitCode, stdout, stderr } = await podman(
        'run',
        '--rm',
        ...hardened(place),
        image(program),
        '--version',
      );
      assert.deepEqual([exitCode, stdout], [0, version], stderr);
    }
  });

  it('carry what they need and no more', async () => {
    const packages = async (program: string) =>
      (
        await podmanOrThrow(
          ...['run', '--rm', '--net', 'none', '--entrypoint', 'node', image(program), '--print'],
          'fs.readdirSync("/app/node_modules").join(" ")',
        )
      ).split(' ');
    // Folders of pictures are looked at before a run, and read by the splitter; the pipeline's image shows runs, too.
    for (const [program, own] of Object.entries({
      splitter: ['sharp'],
      aggregator: [],
      pipeline: ['express', 'sharp'],
    })) {
      const found = await packages(program);
      assert.ok(found.includes('commander'), program);
      assert.deepEqual(
        found.filter((name) => /^(onnxruntime|sharp|express|@tensorflow)/.test(name)),
        own,
        program,
      );
    }
    const trainer = await packages('trainer');
    assert.ok(trainer.includes('onnxruntime-node'));
    for (const name of ['onnxruntime-web', 'typescript', 'express', '@kubernetes'])
      assert.ok(!trainer.includes(name));
  });

  for (const [what, run] of [
    ['hardened containers', asContainers],
    ["the Jobs' own pods", asPods],
  ] as const) {
    it(`do the whole job as ${what}, and end with the local pipeline's model`, async () => {
      const place = await makePlace(what.replace(/\W/g, '-'));
      await claim(place);
      const succeed = async (stage: TemplateStage, options: Parameters<Way>[2] = {}) => {
        const ended = await run(stage, place, options);
        assert.equal(ended.exitCode, 0, `${stage}: ${ended.stdout}\n${ended.stderr}`);
        return ended.stdout;
      };
      // An earlier run with more clients leaves an update that must not be averaged in.
      const earlier = { index: 3, values: { ...VALUES, WORKER_NUMBER: '4' } };
      await succeed('split', earlier);
      await succeed('train', earlier);

      await succeed('split');
      await Promise.all([0, 1, 2].map((index) => succeed('train', { index })));
      const aggregated = await succeed('aggregate');
      assert.match(
        aggregated,
        /"updates":3,.*updates\/3\.h5","reason":"is not the update of a client of this round"/,
      );
      const model = await readFile(join(place.volume, 'aggregated-model.h5'));
      assert.equal(sha256(model), expected.sha256);
      const line = await succeed('evaluate');
      assert.match(line, new RegExp(`acc: ${expected.accuracy.toFixed(4)}`));
      const files = await readdir(place.volume);
      assert.ok(files.includes('accuracy.json'), files.join());
      assert.equal((await stat(join(place.volume, 'accuracy.json'))).uid, 10001);
      // Applied again, it ends at once.
      assert.match(await succeed('split'), /"skipped":true/);
    });

    it(`pass exit codes on as ${what}`, async () => {
      const place = await makePlace(`codes-${what.replace(/\W/g, '-')}`);
      await claim(place);
      const missing = await run('train', place, { index: 1 });
      assert.equal(missing.exitCode, 3, missing.stderr);
      assert.match(missing.stdout + missing.stderr, /\/mnt\/data\/1\.npz: expected .*, found /);
      const early = await run('aggregate', place);
      assert.equal(early.exitCode, 3, early.stderr);
      const wrong = await run('split', place, { values: { ...VALUES, WORKER_NUMBER: '1000' } });
      assert.equal(wrong.exitCode, 2, wrong.stderr);
    });
  }

  it('leave their result, or the sentence that says why there is none, where Kubernetes looks for it', async () => {
    const place = await makePlace('results');
    const env = ['--env', 'FEDBATCH_RESULT_FILE=/mnt/result'];
    const split = ['--data=/mnt/digits.npz', '--out=/mnt/data'];
    const result = () => readFile(join(place.volume, 'result'), 'utf8');
    const runSplit = (...args: readonly string[]) =>
      podman('run', '--rm', ...hardened(place), ...env, image('splitter'), ...split, ...args);
    assert.equal((await runSplit('--clients=2')).exitCode, 0);
    assert.match(await result(), /^\{"shards":2,.*\}$/);
    assert.equal((await runSplit('--clients=x')).exitCode, 2);
    assert.match(await result(), /^error: option '--clients <count>' argument 'x' is invalid/);
  });

  it('stop a training on SIGTERM, which leaves no update behind', async () => {
    const place = await makePlace('stopped');
    await claim(place);
    assert.equal((await asContainers('split', place)).exitCode, 0);
    const { args } = readStage('train', { ...VALUES, EPOCH: '100000' });
    const name = 'fedbatch-test-stopped';
    const options = [
      ...hardened(place),
      '--env',
      'JOB_COMPLETION_INDEX=0',
      '--env',
      'FEDBATCH_LOG_FORMAT=json',
    ];
    await podmanOrThrow('run', '--detach', '--name', name, ...options, image('trainer'), ...args);
    await until(async () => /"event":"progress"/.test((await podman('logs', name)).stderr));
    await podmanOrThrow('stop', '--time', '30', name);
    const { exitCode } = await endOfPod(name, name);
    await podman('rm', '--force', name);
    assert.equal(exitCode, 130);
    assert.deepEqual(await readdir(join(place.volume, 'rounds/0001/updates')).catch(() => []), []);
  });

  it("serve: the Deployment's pod is ready, answers, and stops cleanly on SIGTERM", async () => {
    const place = await makePlace('served');
    const { volume } = places[0] as Place;
    await copyFile(join(volume, 'run', 'aggregated-model.h5'), join(place.volume, 'aggregated-model.h5'));
    await claim(place);
    const deployment = fillTemplate('server', VALUES).find(({ kind }) => kind === 'Deployment');
    const { template } = (
      deployment as unknown as { spec: { template: Parameters<typeof startPod>[0]['template'] } }
    ).spec;
    const name = 'fedbatch-test-server';
    const container = await startPod({ name, template }, place);
    const inside = (script: string) => podman('exec', container, 'node', '--eval', script);
    const get = (path: string) =>
      inside(
        `fetch('http://127.0.0.1:5000${path}').then(async (r) => console.log(r.status, await r.text()))`,
      );
    await until(async () => (await get('/readyz')).stdout.startsWith('200'));
    const [facts] = JSON.parse(await podmanOrThrow('image', 'inspect', image('server'))) as {
      Healthcheck: { Test: string[] };
    }[];
    const [, ...health] = facts?.Healthcheck.Test ?? [];
    assert.equal((await podman('exec', container, ...health)).exitCode, 0);
    const { stdout } = await inside(`
      const form = new FormData();
      form.append('file', new Blob([fs.readFileSync('/app/samples/digit-7-a.png')]), 'digit.png');
      const request = { method: 'POST', body: form, headers: { accept: 'application/json' } };
      fetch('http://127.0.0.1:5000/upload', request).then(async (r) => console.log(r.status, await r.text()));`);
    assert.match(stdout, /^200 \{.*\d.*\}/);
    await podmanOrThrow('stop', '--time', '30', container);
    const { exitCode, stdout: log, stderr } = await endOfPod(name, container);
    assert.equal(exitCode, 0, stderr);
    assert.match(log + stderr, /Stopping: finishing the requests that have begun/);
  });
});

/** Asks again until it is so; a hang ends with the tier. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 240; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.fail('it did not come to be within two minutes');
}
