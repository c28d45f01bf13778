/** Every manifest and every rendering, as a real API server judges it: strictly, where Pod Security `restricted` is enforced. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { TEMPLATE_NAMES } from '../../k8s/manifests/templates.js';
import { WORKFLOW_NAMES } from '../../workflows/render-workflow.js';
import { runCommand } from '../program-host.js';
import { projectRoot } from '../sources.js';
import { TARGET_FACTS } from '../workflow-steps.js';
import { apply, kubectl, makePlace, noCluster, notOurs, type Place } from './cluster.js';
import { type DEFINITIONS, define } from './definitions.js';

const JOB = ['--clients', '4', '--epochs', '2', '--batch', '100'];
const METRICS = [
  'METRICS_PORT=9464',
  'METRICS_HOST=0.0.0.0',
  'PUSHGATEWAY=http://pushgateway.monitoring:9091',
].flatMap((value) => ['--set', value]);

/** What is asked of every target beside the default, one by one. */
const VARIANTS: readonly (readonly string[])[] = [
  ['--rounds', '1'],
  [
    '--rounds',
    '3',
    '--fraction',
    '0.5',
    '--strategy',
    'fedadam',
    '--clip-norm',
    '1',
    '--client-holdout',
    '0.2',
  ],
  ['--rounds', '2', '--gpu', '1', '--queue', 'team', '--set', 'TRAINER_CPU=4', ...METRICS],
];

/** Other files of objects, and the definitions that they need. */
const FILES: Readonly<Record<string, readonly (keyof typeof DEFINITIONS)[]>> = {
  'k8s/monitoring/network-policy.yaml': [],
  'k8s/monitoring/pod-monitor.yaml': ['monitoring'],
  'k8s/monitoring/service-monitor.yaml': ['monitoring'],
  'workflows/spark/rbac.yaml': [],
  'workflows/spark/spark-application.yaml': ['spark'],
};

const REFUSED = /violates? PodSecurity "restricted/;

interface ArgoWorkflow {
  readonly spec: {
    readonly podSpecPatch: string;
    readonly securityContext: object;
    readonly volumes: readonly object[];
    readonly templates: readonly { readonly name: string; readonly container?: object }[];
  };
}

interface Loose {
  readonly [name: string]: unknown;
}

/** The pods that an object makes, wherever its templates of pods are. */
function podsOf(node: unknown): readonly Loose[] {
  if (Array.isArray(node)) return node.flatMap(podsOf);
  if (typeof node !== 'object' || node === null) return [];
  const spec = node as Loose;
  if (spec.kind === 'ServingRuntime') {
    // KServe makes the pods, of these two and its own.
    const { containers, volumes } = spec.spec as Loose;
    return [{ containers, volumes }];
  }
  return Array.isArray(spec.containers) ? [spec] : Object.values(spec).flatMap(podsOf);
}

describe('on a real API server', { skip: noCluster }, () => {
  let place: Place;
  const cleanUps: (() => unknown)[] = [];
  before(async () => {
    const t = { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) };
    place = await makePlace(t as Parameters<typeof makePlace>[0], 'validation');
    // A pod is refused whose service account is not there.
    await apply(place, readFileSync(join(projectRoot, 'k8s', '0-rbac.yaml'), 'utf8'));
  });
  after(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  });

  const tried = (text: string, more: readonly string[] = []) =>
    kubectl(place, ['apply', '--dry-run=server', '--validate=strict', ...more, '--filename', '-'], {
      input: text,
      reject: false,
    });
  /** Takes the objects without a word, and each pod that they make. */
  const requireTaken = async (what: string, text: string) => {
    const { exitCode, stderr, stdout } = await tried(text);
    assert.equal(exitCode, 0, `${what}: ${stderr}`);
    assert.match(stdout, /\(server dry run\)/);
    assert.doesNotMatch(stderr, /^Warning/m, `${what}: ${stderr}`);
    const pods = podsOf(parseAllDocuments(text).map((each) => each.toJS())).map((spec, at) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `pod-${at}`, namespace: place.namespace },
      // A TrainJob says which container runs; a template of it has a name alone.
      spec,
    }));
    if (pods.length === 0) return;
    const made = await tried(pods.map((each) => JSON.stringify(each)).join('\n---\n'));
    assert.equal(made.exitCode, 0, `the pods of ${what}: ${made.stderr}`);
  };
  const rendered = async (...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await runCommand('k8s', ['render', ...args]);
    assert.equal(exitCode, 0, `render ${args.join(' ')}: ${stderr}`);
    return stdout;
  };

  it('an unknown field and a pod that may too much are refused, so that what is taken says something', async () => {
    const trainer = await rendered('trainer', ...JOB);
    const misspelt = await tried(trainer.replace('completions:', 'completion:'));
    assert.notEqual(misspelt.exitCode, 0);
    assert.match(misspelt.stderr, /unknown field "spec\.completion"/);
    await assert.rejects(
      requireTaken('a trainer', trainer.replace('allowPrivilegeEscalation: false', '')),
      REFUSED,
    );
  });

  for (const name of TEMPLATE_NAMES) {
    const isCustom = name === 'kserve';
    it(`takes the template ${name}`, { skip: isCustom && notOurs }, async (t) => {
      const missing = isCustom ? await define('kserve') : undefined;
      if (missing !== undefined) return t.skip(missing);
      const text = await rendered(name, ...JOB, '--nfs-cluster-ip', '10.96.0.99');
      if (name !== 'nfs-deployment') return await requireTaken(name, text);
      // It is the one that needs more than `restricted` allows.
      await assert.rejects(requireTaken(name, text), REFUSED);
    });
  }

  it('takes the templates for GPUs, with a queue and for Prometheus', async () => {
    for (const name of ['splitter', 'trainer', 'aggregator', 'accuracy-test', 'pipeline']) {
      const text = await rendered(name, ...JOB, '--gpu', '2', '--queue', 'team', ...METRICS);
      await requireTaken(name, text);
    }
  });

  it('takes the folder as kustomize builds it', async () => {
    const { stdout } = await kubectl(place, ['kustomize', join(projectRoot, 'k8s')]);
    await requireTaken('k8s', stdout);
  });

  for (const target of WORKFLOW_NAMES) {
    const { definitions } = TARGET_FACTS[target];
    const skip = notOurs || (definitions === undefined && 'its file is no object of Kubernetes');
    it(`takes every rendering for ${target}`, { skip }, async (t) => {
      for (const each of definitions ?? []) {
        const missing = await define(each);
        if (missing !== undefined) return t.skip(missing);
      }
      for (const variant of VARIANTS) {
        const text = await rendered('--target', target, ...JOB, ...variant);
        // kubectl creates what has no name of its own, and does not apply it.
        const named = text.replace(/generateName: (\S+)-$/m, 'name: $1-test');
        await requireTaken(`${target} ${variant.join(' ')}`, named);
      }
    });
  }

  it("takes Argo's own containers in the pods of its workflow, by the patch that the workflow brings", async () => {
    const workflow = JSON.parse(await rendered('--target', 'argo', '--json', ...JOB)) as ArgoWorkflow;
    const { podSpecPatch, securityContext, volumes, templates } = workflow.spec;
    const own = (name: string) => ({ name, image: 'argoexec', command: ['argoexec', name] });
    const pods = templates.flatMap(({ name, container }) => {
      const containers = [own('wait'), { ...container, name: 'main' }];
      const spec = {
        restartPolicy: 'Never',
        securityContext,
        volumes,
        initContainers: [own('init')],
        containers,
      };
      return container === undefined ? [] : [{ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }];
    });
    assert.equal(pods.length, 5);
    for (const pod of pods) {
      const text = JSON.stringify(pod);
      assert.match((await tried(text)).stderr, REFUSED);
      const patch = `{"spec":${podSpecPatch}}`;
      const flags = ['--local', '--type=strategic', '--output=json', '--filename', '-', '--patch', patch];
      const { stdout } = await kubectl(place, ['patch', ...flags], { input: text });
      const { exitCode, stderr } = await tried(stdout);
      assert.equal(exitCode, 0, `${pod.metadata.name}: ${stderr}`);
    }
  });

  for (const [file, definitions] of Object.entries(FILES)) {
    it(`takes ${file}`, { skip: definitions.length > 0 && notOurs }, async (t) => {
      for (const each of definitions) {
        const missing = await define(each);
        if (missing !== undefined) return t.skip(missing);
      }
      await requireTaken(file, readFileSync(join(projectRoot, file), 'utf8'));
    });
  }
});
