/** What keeps a run from going on, on a real node: each is told in clear words and in time, and nothing that is done is lost. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import { lastLine, programPath } from '../programs.js';
import { kubectl, makePlace, notOurs, objectsAt, type Place, until } from './cluster.js';
import { JOB, jobHere, sha256Of, TRAINERS, working } from './jobs.js';
import { makeQueue } from './queues.js';

/** How long a run waits here until it gives up, and until it has told what for. */
const [GIVE_UP_S, TOLD_S] = [30, 25];

/** Runs the job until it ends; when it told for the first time that something does not start. */
async function told({ kubeconfig, namespace }: Place, more: readonly string[] = []) {
  const started = Date.now();
  const flags = ['--namespace', namespace, '--schedule-timeout', `${GIVE_UP_S}`, '--json', ...more];
  const run = execa(process.execPath, [programPath('cli'), 'k8s', 'run', ...JOB, ...flags], {
    reject: false,
    env: { KUBECONFIG: kubeconfig },
  });
  let toldAfter = Number.POSITIVE_INFINITY;
  run.stderr?.on('data', (text: Buffer) => {
    if (/not started after/.test(`${text}`)) toldAfter = Math.min(toldAfter, (Date.now() - started) / 1000);
  });
  return { run, after: () => toldAfter };
}

/** The run ends, and says why and what is to be done. */
async function requireTold(
  place: Place,
  { why, next, flags = [] }: { why: RegExp; next: RegExp; flags?: readonly string[] },
) {
  const { run, after } = await told(place, flags);
  const { exitCode, stderr } = await run;
  assert.equal(exitCode, 5, stderr);
  assert.ok(after() < TOLD_S, `told after ${after()} s: ${stderr}`);
  const last =
    stderr
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('error:')) ?? '';
  assert.match(last, why);
  assert.match(last, next);
  assert.deepEqual(
    await objectsAt(place, 'jobs', 'fedbatch.io/stage=start'),
    [],
    'what never began is deleted',
  );
}

const claim = (place: Place) => kubectl(place, ['apply', '--filename', 'k8s/3-pvc.yaml']);

describe('on a real node', { skip: notOurs }, () => {
  let expected = '';
  before(async () => {
    expected = await jobHere(JOB);
  });

  it('a volume that cannot be mounted is told', async (t) => {
    const source = { hostPath: { path: '/nowhere/at/all', type: 'Directory' } };
    const place = await makePlace(t, 'no-mount', { source });
    await claim(place);
    await requireTold(place, {
      why: /\/nowhere\/at\/all is not a directory \(FailedMount\)/,
      next: /Next: see to the volume/,
    });
  });

  it('an NFS server that is not there is told', async (t) => {
    const place = await makePlace(t, 'no-nfs', { source: { nfs: { server: '10.201.255.254', path: '/' } } });
    await claim(place);
    await requireTold(place, {
      why: /\((FailedMount|NoEvent)\)/,
      next: /Next: (see to the volume \(NFS needs nfs-common on the node|.* shows what became of it)/,
    });
  });

  it('a network without a free address is told', async (t) => {
    const place = await makePlace(t, 'no-address');
    await claim(place);
    fillNetwork(t);
    await requireTold(place, {
      why: /no IP addresses available in range set: .* \(FailedCreatePodSandBox\)/,
      next: /Next: see to the network plugin/,
    });
  });

  it('a queue of Kueue without room is told', async (t) => {
    const place = await makePlace(t, 'no-quota');
    await claim(place);
    await makeQueue(t, place, { cpu: '0' });
    await requireTold(place, {
      why: /Kueue holds it back in the queue team: .*insufficient.* quota.* \(Suspended\)/,
      next: /Next: kubectl get workloads --namespace \S+ shows the queue/,
      flags: ['--queue', 'team'],
    });
  });

  it('an image that goes while others train costs nothing that is done', async (t) => {
    const place = await makePlace(t, 'no-image');
    await claim(place);
    // More than a node of two processors trains side by side.
    const clients = ['--clients', '4'];
    const { run, after } = await told(place, clients);
    await until(async () => (await working(place, TRAINERS)).length > 0, 600);
    const back = await takeAway(t, 'trainer');
    const { exitCode, stderr } = await run;
    assert.equal(exitCode, 5, stderr);
    assert.ok(after() < Number.POSITIVE_INFINITY, stderr);
    assert.match(
      stderr,
      /error: train client \d: not started: the image fedbatch\/trainer:\S+ cannot be pulled/,
    );
    assert.match(
      stderr,
      /and what it has done stay; the same command resumes it\. Next: build and push the images/,
    );
    const done = async () =>
      (await objectsAt<{ metadata: { name: string }; status: { phase: string } }>(place, 'pods', TRAINERS))
        .filter(({ status }) => status.phase === 'Succeeded')
        .map(({ metadata }) => metadata.name);
    const before = await done();
    assert.ok(before.length > 0);
    await back();
    const { run: again } = await told(place, [...clients, '--schedule-timeout', '300']);
    const ended = await again;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.equal(sha256Of(lastLine(ended.stdout)), await jobHere([...JOB, ...clients]));
    const after2 = await done();
    assert.ok(
      before.every((name) => after2.includes(name)),
      'whoever was done has not trained again',
    );
  });

  it('an image that goes between the stages of a round costs nothing that is done', async (t) => {
    const place = await makePlace(t, 'no-aggregator');
    await claim(place);
    const { run } = await told(place);
    await until(async () => (await working(place, TRAINERS)).length > 0, 600);
    const back = await takeAway(t, 'aggregator');
    const { exitCode, stderr } = await run;
    assert.equal(exitCode, 5, stderr);
    assert.match(stderr, /error: aggregate.*: the image fedbatch\/aggregator:\S+ cannot be pulled/);
    await back();
    const { run: again } = await told(place);
    const ended = await again;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.equal(sha256Of(lastLine(ended.stdout)), expected);
    assert.match(ended.stderr, /^train .*round 1.*done before: skipped$/m);
  });
});

/** Takes every address of the node's network that is left; given back when the test ends. */
function fillNetwork(t: TestContext): void {
  const directory = join(process.env.RUN ?? '', 'ipam', 'onecluster');
  const taken = new Set(readdirSync(directory));
  const free = Array.from({ length: 253 }, (_, at) => `10.202.0.${at + 2}`).filter(
    (each) => !taken.has(each),
  );
  for (const address of free) writeFileSync(join(directory, address), 'fedbatch-test\r\neth0');
  t.after(() => {
    for (const address of free) rmSync(join(directory, address), { force: true });
  });
}

/** Removes an image from the node, which no registry has; returns how it comes back. */
async function takeAway(t: TestContext, program: string): Promise<() => Promise<void>> {
  const images = (...args: readonly string[]) =>
    execa('ctr', [
      '--address',
      join(process.env.RUN ?? '', 'containerd.sock'),
      '--namespace',
      'k8s.io',
      'images',
      ...args,
    ]);
  const { stdout } = await images('ls', '--quiet');
  const name = stdout.split('\n').find((each) => each.startsWith(`docker.io/fedbatch/${program}:`)) ?? '';
  const kept = `localhost/kept/${program}:1`;
  await images('tag', '--force', name, kept);
  await images('rm', '--sync', name);
  const back = async () => {
    await images('tag', '--force', kept, name);
  };
  t.after(back);
  return back;
}
