/** The real cluster that the tests of this folder run on, and places on it: scripts/test-cluster.sh says where it is. */
import assert from 'node:assert/strict';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { temporaryDirectory } from '../temporary-directory.js';

const { KUBECONFIG: ADMIN = '', FEDBATCH_TEST_CLUSTER, FEDBATCH_CLUSTER_FLAGS = '' } = process.env;

/** What more the commands are told on a cluster of somebody else, e.g. `--storage-class x --image-prefix y`. */
export const FLAGS: readonly string[] = FEDBATCH_CLUSTER_FLAGS.split(' ').filter((flag) => flag !== '');

/** Why nothing is tried: a cluster that somebody works with is not to be tested on by accident. */
export const noCluster: string | false =
  FEDBATCH_TEST_CLUSTER === undefined && 'scripts/test-cluster.sh runs it on a cluster';

/** Where a cluster of this machine keeps its files, and the scripts that start and stop its parts. */
interface OwnCluster {
  readonly home: string;
  readonly scripts: string;
}

const { FEDBATCH_CLUSTER_HOME: home, FEDBATCH_CLUSTER_SCRIPTS: scripts } = process.env;

/** Why what needs the cluster's own machine is not tried. */
export const notOurs: string | false =
  noCluster || ((home ?? scripts) === undefined && 'it disturbs the machine that the cluster runs on');

/** The cluster of this machine. */
export function ownCluster(): OwnCluster {
  assert.ok(home !== undefined && scripts !== undefined);
  return { home, scripts };
}

/** The name of the hollow node, by which the volume of a place holds its pods there. */
export const HOLLOW = 'hollow';

/** A namespace of its own, and the kubeconfig that leads there. */
export interface Place {
  readonly namespace: string;
  readonly kubeconfig: string;
  /** The claim's files, on a cluster of this machine. */
  readonly volume: string;
}

interface Asked {
  /** What stands on its standard input. */
  readonly input?: string;
  /** A failure is a result. */
  readonly reject?: false;
}

/** Asks kubectl, where a place's kubeconfig leads to. */
export async function kubectl(
  { kubeconfig }: Pick<Place, 'kubeconfig'>,
  args: readonly string[],
  { input, reject }: Asked = {},
) {
  const asked = await execa('kubectl', args, {
    reject: false,
    env: { KUBECONFIG: kubeconfig },
    ...(input === undefined ? {} : { input }),
  });
  const said = `kubectl ${args.join(' ')}: ${asked.stdout}\n${asked.stderr}`;
  if (reject !== false) assert.equal(asked.exitCode, 0, said);
  return asked;
}

/** What an administrator may. */
export const admin = { kubeconfig: ADMIN };

/** Applies objects as YAML. */
export const apply = (place: Pick<Place, 'kubeconfig'>, ...objects: readonly (string | object)[]) =>
  kubectl(place, ['apply', '--filename', '-'], {
    input: objects.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join('\n---\n'),
  });

/** What the claim of a place is bound to, on a cluster of this machine: its own directory, where nothing else is given. */
interface Wanted {
  /** The only node that the claim's pods run on. */
  readonly node?: string;
  /** Another source of the volume. */
  readonly source?: object;
}

/** Makes a namespace that enforces Pod Security `restricted`, with the claim `fedbatch`; gone when the test ends. */
export async function makePlace(t: TestContext, name: string, wanted: Wanted = {}): Promise<Place> {
  const namespace = `fedbatch-test-${name}`;
  const kubeconfig = join(await temporaryDirectory(t), 'kubeconfig');
  const config = await kubectl(admin, ['config', 'view', '--raw', '--flatten', '--minify']);
  await writeFile(kubeconfig, config.stdout, { mode: 0o600 });
  const place = { namespace, kubeconfig, volume: join(home ?? '', 'volume', namespace) };
  await kubectl(place, ['config', 'set-context', '--current', '--namespace', namespace]);
  const remove = async () => {
    const gone = ['--ignore-not-found', '--timeout=120s'];
    await kubectl(admin, ['delete', 'namespace', namespace, ...gone], { reject: false });
    if (home === undefined) return;
    await kubectl(admin, ['delete', 'persistentvolume', namespace, ...gone], { reject: false });
    await rm(place.volume, { recursive: true, force: true });
  };
  await remove();
  t.after(remove);
  const level = {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/warn': 'restricted',
  };
  await apply(admin, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: level } });
  if (home !== undefined) await makeVolume(place, wanted);
  // Its controller makes it, and no pod is made before.
  await until(
    async () =>
      (await kubectl(place, ['get', 'serviceaccount', 'default'], { reject: false })).exitCode === 0,
  );
  return place;
}

async function makeVolume({ namespace, volume }: Place, { node, source }: Wanted): Promise<void> {
  await mkdir(volume, { recursive: true, mode: 0o2770 });
  await chown(volume, 10001, 10001);
  const storageClass = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'nfs-csi' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'Immediate',
  };
  // What is real is kept off the hollow node, which would take it when the others are full.
  const where =
    node === undefined ? { operator: 'NotIn', values: [HOLLOW] } : { operator: 'In', values: [node] };
  const expression = { key: 'kubernetes.io/hostname', ...where };
  const affinity = { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } };
  await apply(admin, storageClass, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: namespace },
    spec: {
      capacity: { storage: '10Gi' },
      accessModes: ['ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: 'nfs-csi',
      claimRef: { namespace, name: 'fedbatch' },
      ...(source ?? { hostPath: { path: volume, type: 'Directory' } }),
      nodeAffinity: affinity,
    },
  });
}

/** A kubeconfig with nothing but the token of a service account. */
export async function asServiceAccount(t: TestContext, place: Place, account: string): Promise<Place> {
  const { stdout: token } = await kubectl(place, ['create', 'token', account, '--duration=1h']);
  const { stdout } = await kubectl(place, ['config', 'view', '--raw', '--output=json']);
  const config = JSON.parse(stdout);
  const kubeconfig = join(await temporaryDirectory(t), 'kubeconfig');
  const users = config.users.map(({ name }: { name: string }) => ({ name, user: { token } }));
  await writeFile(kubeconfig, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return { ...place, kubeconfig };
}

/** Waits until `isSo`. @throws when it does not become so */
export async function until(isSo: () => Promise<boolean> | boolean, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await isSo()); await sleep(250))
    assert.ok(Date.now() < end, `not so after ${seconds} s: ${isSo}`);
}

/** Objects of a place. */
export async function objectsAt<T = { readonly metadata: { readonly name: string } }>(
  place: Place,
  kind: string,
  selector?: string,
): Promise<readonly T[]> {
  const select = selector === undefined ? [] : ['--selector', selector];
  const { stdout } = await kubectl(place, ['get', kind, '--output=json', ...select]);
  return (JSON.parse(stdout) as { items: T[] }).items;
}
