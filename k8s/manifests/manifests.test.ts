/** Every manifest, filled in, is what Kubernetes 1.29 and newer take; and the checks find what is planted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { Job } from 'kubernetes-models/batch/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Role, RoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1';
import { PersistentVolume, PersistentVolumeClaim, Pod, Service, ServiceAccount } from 'kubernetes-models/v1';
import { volumePaths } from '../../lib/formats/volume.js';
import { initCommand } from '../../pipeline/commands/stage-commands.js';
import { settingsFromFlags } from '../../test/settings.js';
import { faultsOf, isCustom } from '../testing/check-manifest.js';
import { fieldsOf129, newestFields } from '../testing/fields.js';
import type { Values } from './placeholders.js';
import { render } from './render.js';
import { stageOf } from './stages.js';
import { fillText, type KubernetesObject, readTemplate, TEMPLATE_NAMES } from './templates.js';

const INIT = initCommand({ settings: settingsFromFlags([]).settings, paths: volumePaths('/mnt') });

const REQUIRED: Values = { WORKER_NUMBER: '3', EPOCH: '2', BATCH: '100', NFS_CLUSTER_IP: '10.0.0.7' };
const VERSIONS = { '1.29': fieldsOf129(), newest: newestFields() };

/** Kinds with the schema that kubernetes-models has of them: types, quantities, required fields. */
const KINDS: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  Deployment,
  HorizontalPodAutoscaler,
  Ingress,
  Job,
  NetworkPolicy,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  Role,
  RoleBinding,
  Service,
  ServiceAccount,
};

function allFaults(object: KubernetesObject): readonly string[] {
  const own = Object.entries(VERSIONS).flatMap(([version, fields]) =>
    faultsOf(object, fields).map((fault) => `${version}: ${fault}`),
  );
  if (isCustom(object)) return own;
  const Kind = KINDS[object.kind];
  if (Kind === undefined) return [...own, `${object.kind}: no schema`];
  try {
    new Kind(object as never).validate();
    return own;
  } catch (error) {
    return [...own, `schema: ${String(error)}`];
  }
}

describe('every manifest', () => {
  it('is valid with the defaults', () => {
    for (const { file, objects } of render({ templates: TEMPLATE_NAMES, values: REQUIRED })) {
      assert.ok(objects.length > 0, file);
      for (const object of objects) assert.deepEqual(allFaults(object), [], file);
    }
  });

  it('is valid with other values, a namespace and a queue', () => {
    const values: Values = {
      ...REQUIRED,
      WORKER_NUMBER: '1000',
      BATCH: 'all',
      CLIENTS: '3',
      GPU: '1',
      TRAINER_CPU: '500m',
      TRAINER_MEMORY: '1500M',
      MAX_FAILED_INDEXES: '200',
      MIN_ACCURACY: '0.97',
      STORAGE: '1Ti',
      TRAINER_IMAGE: 'registry.example.com:5000/me/trainer@sha256:'.padEnd(108, 'a'),
    };
    for (const { objects } of render({
      templates: TEMPLATE_NAMES,
      values,
      namespace: 'fl',
      queue: 'team-a',
    })) {
      for (const object of objects) assert.deepEqual(allFaults(object), []);
    }
  });

  it('of the derived stage init is valid too', () => {
    assert.deepEqual(allFaults(stageOf(INIT, {}).job as unknown as KubernetesObject), []);
  });
});

describe('what is planted in the trainer', () => {
  const planted = (from: string | RegExp, to: string) => {
    const text = readTemplate('trainer');
    const changed = text.replace(from, to);
    assert.notEqual(changed, text, `${from} is in the template`);
    return fillText(changed, REQUIRED, 'planted.yaml').flatMap(allFaults);
  };
  const cases: readonly (readonly [string, string | RegExp, string, RegExp])[] = [
    [
      'a field that is misspelt',
      'backoffLimitPerIndex:',
      'backoffLimitByIndex:',
      /unknown field of V1JobSpec/,
    ],
    [
      'a field in the wrong place',
      'restartPolicy: Never',
      'containerz: []',
      /\.containerz: unknown field of V1PodSpec/,
    ],
    [
      'a field that 1.29 does not know',
      'completionMode: Indexed',
      'completionMode: Indexed\n  managedBy: me',
      /^1\.29: .*managedBy: unknown field/,
    ],
    ['a number in the environment', 'value: json', 'value: 1', /expected string, found number 1/],
    [
      'a string for a number',
      'completions: {{WORKER_NUMBER}}',
      'completions: "three"',
      /completions.*expected number/,
    ],
    ['a bad quantity', /memory: 1Gi #.*/, 'memory: 1GB', /the quantity memory: 1GB/],
    ['a request above its limit', /memory: 1Gi #.*/, 'memory: 2Gi', /more memory requested than the limit/],
    [
      'restartPolicy of a server',
      'restartPolicy: Never',
      'restartPolicy: Always',
      /restartPolicy Always of a Job/,
    ],
    [
      'restartPolicy that the failure policy forbids',
      'restartPolicy: Never',
      'restartPolicy: OnFailure',
      /podFailurePolicy without/,
    ],
    ['a bad name', 'name: fedbatch-trainer', 'name: fedbatch_Trainer', /the name "fedbatch_Trainer"/],
    ['a bad label', 'component: trainer', 'component: a trainer', /the label .*component: a trainer/],
    ['an index too few', 'parallelism: {{WORKER_NUMBER}}', 'parallelism: 2', /not all indexes at once/],
    [
      'more failures than clients',
      /maxFailedIndexes: 0.*/,
      'maxFailedIndexes: 4',
      /maxFailedIndexes above completions/,
    ],
    [
      'indexes that nobody counts',
      'completionMode: Indexed',
      'suspend: false',
      /backoffLimitPerIndex without Indexed/,
    ],
    ['an action that there is none', 'action: FailIndex', 'action: FailPod', /action: FailPod is no choice/],
    [
      'a volume that there is none',
      '- name: volume\n              mountPath',
      '- name: volumes\n              mountPath',
      /no volume volumes/,
    ],
    [
      'a token for the API server',
      'automountServiceAccountToken: false',
      'serviceAccountName: default',
      /a token of a service account/,
    ],
    ['root', 'runAsNonRoot: true', 'runAsNonRoot: false', /not as restricted/],
    ['a capability', 'drop: [ALL]', 'drop: [NET_RAW]', /not as restricted/],
    [
      'a file system that can be written',
      'readOnlyRootFilesystem: true',
      'readOnlyRootFilesystem: false',
      /can be written/,
    ],
    [
      'a required field that is missing',
      '- name: trainer\n          image',
      '- image',
      /schema: .*required property name/,
    ],
    ['an API version of old', 'batch/v1', 'batch/v1beta1', /batch\/v1beta1 Job: no such kind/],
  ];
  for (const [what, from, to, fault] of cases) {
    it(`${what} is found`, () => {
      const faults = planted(from, to);
      assert.ok(
        faults.some((each) => fault.test(each)),
        `${fault} among:\n${faults.join('\n')}`,
      );
    });
  }
});

describe('what is planted in a custom resource', () => {
  it('is found by the definition of its kind, or as in any pod', () => {
    const text = readTemplate('kserve');
    for (const [from, to, fault] of [
      ['supportedModelFormats:', 'modelFormats:', /\.spec\.modelFormats: unknown field/],
      ['minReplicas: 2', 'minReplicas: two', /minReplicas: expected number/],
      ['storageUri:', 'storageUrl:', /model\.storageUrl: unknown field/],
      ['drop: [ALL]', 'drop: [NET_RAW]', /not as restricted/],
      ['- name: tmp\n          mountPath', '- name: temp\n          mountPath', /no volume temp/],
    ] as const) {
      assert.ok(text.includes(from), from);
      const faults = fillText(text.replace(from, to), {}, 'planted.yaml').flatMap(allFaults);
      assert.ok(
        faults.some((each) => fault.test(each)),
        `${fault} among:\n${faults.join('\n')}`,
      );
    }
  });
});

describe('the fields of Kubernetes 1.29', () => {
  it('have what came with it, and not what came after', () => {
    const job = VERSIONS['1.29'].V1JobSpec ?? {};
    assert.ok('backoffLimitPerIndex' in job && 'podReplacementPolicy' in job);
    assert.ok(!('managedBy' in job) && !('successPolicy' in job));
    assert.ok('managedBy' in (VERSIONS.newest.V1JobSpec ?? {}));
    assert.ok('sleep' in (VERSIONS['1.29'].V1LifecycleHandler ?? {}));
  });
});
