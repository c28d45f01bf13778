/** `fedbatch k8s run` from end to end: the real client, an API server over HTTP, pods as processes of the real programs. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readRoundRecord, readRunRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { writeTinyDataset } from './datasets.js';
import { readEventFile, scalarsOf, sessionOfHparams } from './event-files.js';
import type { Fault } from './kube/api-server.js';
import { type FakeCluster, objectsOf, rulesOf, startCluster } from './kube/cluster.js';
import { finishKubeRun, kube, kubeRun, SETTINGS, tellsAndDeletes } from './kube/runs.js';
import type { Access } from './kube/target.js';
import { lastLine, runProgramFile } from './programs.js';
import { eventsOf } from './runs.js';
import { projectRoot } from './sources.js';
import { sharedDirectory, temporaryDirectory } from './temporary-directory.js';

const ROLE = readFileSync(join(projectRoot, 'k8s', '0-rbac.yaml'), 'utf8');

let directory = '';
let cluster: FakeCluster;
let volume = '';
/** Each is handed out once, to the next request that fits. */
const faults: { readonly fits: (access: Access) => boolean; readonly fault: Fault }[] = [];
const cleanUps: (() => void | Promise<void>)[] = [];
/** The same run on this machine, and on the cluster. */
let local: Pick<Awaited<ReturnType<typeof finishKubeRun>>, 'sha256' | 'acrossClients' | 'perClient'>;
let first: Awaited<ReturnType<typeof finishKubeRun>>;

before(async () => {
  directory = sharedDirectory();
  cluster = await startCluster(
    { after: (cleanUp) => void cleanUps.push(cleanUp as () => Promise<void>) },
    {
      directory,
      role: ROLE,
      fault: (access) => {
        const at = faults.findIndex(({ fits }) => fits(access));
        return at < 0 ? undefined : faults.splice(at, 1)[0]?.fault;
      },
    },
  );
  const data = await writeTinyDataset(cluster.claim('fedbatch'));
  const flags = [
    'run',
    '--data',
    data,
    '--volume',
    join(directory, 'local'),
    '--json',
    '--tensorboard',
    ...SETTINGS,
  ];
  const { stdout, stderr, exitCode } = await runProgramFile('cli', flags);
  assert.equal(exitCode, 0, stderr);
  local = JSON.parse(lastLine(stdout));
  volume = join(cluster.claim('fedbatch'), 'runs', 'first');
  // What goes wrong on the way to an API server every day: each of these is met once during the run.
  const once = (verb: string, resource: string, fault: Fault) =>
    faults.push({ fits: (access) => access.verb === verb && access.resource === resource, fault });
  once('create', 'jobs.batch', { kind: 'refuse', code: 429, retryAfterSeconds: 1 });
  once('list', 'pods', { kind: 'drop' });
  once('get', 'jobs.batch', { kind: 'refuse', code: 500 });
  once('watch', 'jobs.batch', { kind: 'cut', afterMs: 300 });
  once('watch', 'pods', { kind: 'drop' });
  first = await finishKubeRun(cluster, ['--volume', 'runs/first', '--tensorboard']);
});
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

test('a run on a cluster ends with the same bytes as the same run here, whatever the API server does', () => {
  assert.equal(faults.length, 0, 'every fault was met');
  assert.equal(first.sha256, local.sha256);
  // What a pod's status has room for: of the accuracy test the loss and the metric that leads.
  const { loss, accuracy } = local.acrossClients.global;
  assert.deepEqual(first.acrossClients, { ...local.acrossClients, global: { loss, accuracy } });
  assert.deepEqual(first.perClient, local.perClient);
  assert.deepEqual(first.participation, { selected: 4, missing: 0, rejected: 0 });
});

test('what stands on the volume is what a run here leaves', async () => {
  const [there, here] = [volumePaths(volume), volumePaths(join(directory, 'local'))];
  for (const path of [
    there.aggregatedModel,
    there.bestModel,
    there.accuracy,
    there.report,
    there.clientModel(1),
  ]) {
    assert.ok(existsSync(path), path);
  }
  assert.deepEqual(await readFile(there.bestModel), await readFile(here.bestModel));
  // Trainers have each had a place of their own.
  assert.deepEqual(await readdir(there.data), await readdir(here.data));
  assert.deepEqual(await readdir(there.round(2).updates), await readdir(here.round(2).updates));
  const trainers = objectsOf(cluster, 'Pod').filter(({ metadata }) => metadata.name.includes('-train-'));
  assert.ok(trainers.length > 0);
  for (const { spec } of trainers) {
    const mounts: readonly { readonly name: string; readonly subPathExpr?: string }[] =
      spec.containers[0].volumeMounts;
    assert.ok(mounts.every(({ name, subPathExpr }) => name !== 'volume' || subPathExpr?.includes('INDEX')));
  }
  const [record, own] = [await readRunRecord(there.run), await readRunRecord(here.run)];
  assert.equal(record.settings.dataset.sha256, own.settings.dataset.sha256);
  for (const round of [1, 2]) {
    const [a, b] = [
      await readRoundRecord(there.round(round).record),
      await readRoundRecord(here.round(round).record),
    ];
    assert.equal(a.parent, b.parent);
    assert.equal(a.learningRate, b.learningRate);
    assert.deepEqual(
      a.reported.map(({ client, sha256, shard, heldOut }) => [client, sha256, shard, heldOut]),
      b.reported.map(({ client, sha256, shard, heldOut }) => [client, sha256, shard, heldOut]),
    );
    assert.ok(a.acrossClients?.after?.accuracy !== undefined);
    assert.deepEqual(a.acrossClients, b.acrossClients);
    assert.deepEqual(a.evaluation?.acrossClients, b.evaluation?.acrossClients);
    assert.equal(a.aggregate?.inputs, b.aggregate?.inputs);
    assert.equal(a.evaluation?.accuracy, b.evaluation?.accuracy);
    assert.ok((a.seconds?.train ?? -1) >= 0);
  }
  for (const name of ['start', 'update', 'aggregate', 'evaluation', 'round', 'end']) {
    assert.equal(
      eventsOf(volume, name).length,
      name === 'update' ? 4 : name === 'start' || name === 'end' ? 1 : 2,
      name,
    );
  }
});

test('each step of the recorder goes on with the event files where the one before it ended', () => {
  for (const writer of ['global', 0, 1] as const) {
    const [there, here] = [volume, join(directory, 'local')].map((root) =>
      readEventFile(volumePaths(root).eventFile(writer)),
    );
    assert.ok(there && here);
    assert.deepEqual(
      there.map(({ step }) => step),
      here.map(({ step }) => step),
    );
    for (const tag of ['test/loss', 'training/loss', 'updates/norm', 'participation/reported'])
      assert.deepEqual(scalarsOf(there, tag), scalarsOf(here, tag), `${writer} ${tag}`);
  }
  const session = sessionOfHparams(readEventFile(volumePaths(volume).eventFile('global')));
  assert.deepEqual([session.status, session.hparams['federation.rounds']], [1, 2]);
});

test('the Role allows what the run does, and nothing that it does not do', () => {
  const allowed = rulesOf(ROLE).flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.map((verb) => `${verb} ${group === '' ? resource : `${resource}.${group}`}`),
      ),
    ),
  );
  const used = new Set(
    cluster.api.accesses.map(
      ({ verb, resource, subresource }) => `${verb} ${resource}${subresource && `/${subresource}`}`,
    ),
  );
  assert.deepEqual(
    [...used].filter((each) => !allowed.includes(each)),
    [],
  );
  // Another storage, a Job without pods, the end of a run: the other tests do these.
  const elsewhere = [
    'create persistentvolumeclaims',
    'patch persistentvolumeclaims',
    'list events',
    'patch jobs.batch',
    'delete jobs.batch',
    'list configmaps',
    'delete configmaps',
  ];
  const idle = allowed.filter((each) => !used.has(each) && !elsewhere.includes(each));
  assert.deepEqual(idle, []);
});

test('the same command recognises what is done, also when the Jobs are gone', async () => {
  const { stderr, exitCode, stdout } = await kubeRun(cluster, ['--volume', 'runs/first']);
  assert.equal(exitCode, 0, stderr);
  for (const stage of ['split', 'init', 'train', 'aggregate', 'evaluate']) {
    assert.match(stderr, new RegExp(`^${stage} .*done before: skipped$`, 'm'));
  }
  assert.equal(JSON.parse(lastLine(stdout)).sha256, local.sha256);
});

test('status and logs tell of the run, delete removes its objects and leaves its files', async () => {
  await tellsAndDeletes(cluster);
  for (const kind of ['Job', 'Pod', 'ConfigMap']) assert.deepEqual(objectsOf(cluster, kind), []);
  assert.ok(existsSync(volumePaths(volume).aggregatedModel));
});

test('bad data touch no volume; a stage that fails is on its record until the same command succeeds', async () => {
  const { metrics, report, round } = volumePaths(volume);
  const events = await readFile(metrics, 'utf8');
  await writeFile(join(cluster.claim('fedbatch'), 'bad.npz'), 'no zip at all');
  const flags = ['run', '--data', '/mnt/bad.npz', ...SETTINGS, '--volume', 'runs/first', '--fresh'];
  const bad = await kube(cluster, flags);
  assert.equal(bad.exitCode, 3, bad.stderr);
  assert.match(bad.stderr, /error: split \(check\): .*bad\.npz: expected an npz/);
  assert.equal(await readFile(metrics, 'utf8'), events);
  assert.ok(existsSync(volumePaths(volume).aggregatedModel));

  const more = ['--volume', 'runs/first', '--rounds', '3', '--retries', '0'];
  const place = join(round(3).ownUpdates(1), '1.h5');
  await mkdir(join(place, 'in the way'), { recursive: true });
  const failed = await kubeRun(cluster, more);
  assert.equal(failed.exitCode, 3, failed.stderr);
  const [failure] = eventsOf(volume, 'failure');
  assert.deepEqual([failure?.stage, failure?.round, failure?.client, failure?.exitCode], ['train', 3, 1, 3]);
  assert.match(
    await readFile(report, 'utf8'),
    /Failed: train of client 1 in round 3\..*\n.*could not be written/,
  );
  await rm(place, { recursive: true });
  await finishKubeRun(cluster, more);
  assert.doesNotMatch(await readFile(report, 'utf8'), /Failed:/);
});

test('a command of the user’s own runs as each client, a pod for each, and its results come back in order', async () => {
  await writeFile(
    join(cluster.claim('fedbatch'), 'count.mjs'),
    `import { statSync, writeFileSync } from 'node:fs';
    const { FEDBATCH_RANK: rank, FEDBATCH_SIZE: size, FEDBATCH_SHARD: shard } = process.env;
    // Longer than what Kubernetes keeps of a container's last words.
    const result = { rank, size, bytes: statSync(shard).size, words: process.argv.slice(2), many: Array(3000).fill(rank) };
    writeFileSync(process.env.FEDBATCH_RESULT, JSON.stringify(result));`,
  );
  const flags = ['--clients', '2', '--data', 'runs/first/data', '--json'];
  const words = ['node', '/mnt/count.mjs', 'of {size}', '--my_flag', '$(FEDBATCH_RANK)', '$$'];
  const { exitCode, stdout, stderr } = await kube(cluster, ['each', ...flags, '--', ...words]);
  assert.equal(exitCode, 0, stderr);
  const { clients, results } = JSON.parse(lastLine(stdout));
  assert.equal(clients, 2);
  for (const [rank, each] of results.entries()) {
    const bytes = readFileSync(join(volume, 'data', `${rank}.npz`)).length;
    const { many, ...result } = each.result;
    assert.deepEqual(result, {
      rank: `${rank}`,
      size: '2',
      bytes,
      words: words.slice(2).map((word) => word.replace('{size}', '2')),
    });
    assert.equal(many.length, 3000);
    assert.equal(each.client, rank);
  }
});

test('of a command that fails as one client, the reason is told; a quorum tolerates it', async () => {
  const script =
    'if (process.env.FEDBATCH_RANK === "1") { console.error("no luck"); process.exit(3); } console.log("1")';
  const command = ['--', 'node', '-e', script];
  const jobs = () => objectsOf(cluster, 'Job').map(({ metadata }) => metadata.name);
  const before = jobs();
  const ended = await kube(cluster, ['each', '--clients', '2', ...command]);
  assert.equal(ended.exitCode, 5, ended.stderr);
  assert.match(ended.stderr, /each client 1: .*node: ended with exit code 3: no luck/);
  const flags = ['each', '--clients', '2', '--quorum', '1', '--retries', '1', '--json', '--cleanup'];
  const tolerated = await kube(cluster, [...flags, ...command]);
  assert.equal(tolerated.exitCode, 0, tolerated.stderr);
  const [zero, one] = JSON.parse(lastLine(tolerated.stdout)).results;
  assert.equal(zero.result, 1);
  assert.match(one.reason, /ended with exit code 3: no luck/);
  assert.deepEqual(jobs(), before, 'its Job is deleted');
  const lacking = await kube(cluster, ['each', '--clients', '1', '--data', 'nowhere', '--', 'true']);
  assert.equal(lacking.exitCode, 3, lacking.stderr);
  assert.match(lacking.stderr, /nowhere\/0\.npz: expected the shard of client 0, found none/);
});

test('clients that share a pod come to the same bytes', async (t) => {
  const own = await startCluster(t, { directory: await temporaryDirectory(t) });
  await writeTinyDataset(own.claim('fedbatch'));
  const { sha256 } = await finishKubeRun(own, ['--clients-per-pod', '2', '--no-isolate']);
  assert.equal(sha256, local.sha256);
  const trainers = objectsOf(own, 'Pod').filter(({ spec }) =>
    spec.containers[0].command?.includes('/app/dist/pipeline/in-turn-cli.js'),
  );
  assert.equal(trainers.length, 2, 'one for each round');
  const refused = await kube(own, ['run', '--clients-per-pod', '2']);
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /^error: --clients-per-pod 2: expected --no-isolate with it: /);
});
