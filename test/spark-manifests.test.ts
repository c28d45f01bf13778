/** The manifests of workflows/spark/: valid by the operator's types, and of one piece with the driver and its rights. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Role } from 'kubernetes-models/rbac.authorization.k8s.io/v1/Role';
import { RoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { parseAllDocuments } from 'yaml';
import { runProgramFile } from './programs.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

const folder = join(projectRoot, 'workflows', 'spark');
const read = (path: string) => readFileSync(join(folder, path), 'utf8');
const parse = (path: string) => parseAllDocuments(read(path)).map((document) => document.toJS() as unknown);

interface Application {
  readonly spec: {
    readonly image: string;
    readonly sparkVersion: string;
    readonly mainApplicationFile: string;
    readonly arguments: readonly string[];
    readonly sparkConf: Readonly<Record<string, string>>;
    readonly driver: { readonly serviceAccount: string; readonly volumeMounts: readonly object[] };
    readonly executor: { readonly cores: number; readonly volumeMounts: readonly object[] };
  };
}

const [application] = parse('spark-application.yaml') as [Application];

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
for (const name of ['kubeflow', 'spark-application']) {
  const path = join(projectRoot, 'workflows', 'fixtures', `${name}.json`);
  ajv.addSchema(JSON.parse(readFileSync(path, 'utf8')) as object, name);
}

function problems(object: unknown): readonly string[] {
  const validate = ajv.getSchema('spark-application#/$defs/SparkApplication');
  assert.ok(validate !== undefined);
  validate(object);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

describe('the SparkApplication', () => {
  it('has no field that the operator does not know, nor one of another type', () => {
    assert.deepEqual(problems(application), []);
  });

  it('would be refused with a mistake', () => {
    const text = JSON.stringify(application);
    const mistakes = [
      ['"onFailureRetries":3', '"onFailureRetry":3'],
      ['"instances":2', '"instances":0'],
      ['"instances":2', '"instance":2'],
      ['"spark.task.cpus":"2"', '"spark.task.cpus":2'],
      ['"runAsNonRoot":true', '"runAsNonRoot":"yes"'],
      ['"serviceAccount"', '"serviceAccountName"'],
    ] as const;
    for (const [from, to] of mistakes) {
      assert.ok(text.includes(from), from);
      assert.notDeepEqual(problems(JSON.parse(text.replace(from, to))), [], to);
    }
  });

  it('starts the driver of the image, with options that fedbatch run takes', async () => {
    const { mainApplicationFile, arguments: flags, sparkVersion } = application.spec;
    assert.ok(existsSync(join(folder, basename(mainApplicationFile))));
    assert.ok(read('Dockerfile').includes(`apache/spark:${sparkVersion}`));
    // A dataset that is not there is found out after all options have been understood.
    const volume = join(sharedDirectory(), 'volume');
    const given = flags.filter((flag) => !/^--(volume|data)=/.test(flag));
    const args = ['run', '--trainers', 'pipe', ...given, '--volume', volume, '--data', `${volume}/none.npz`];
    const { exitCode, stderr } = await runProgramFile('cli', args);
    assert.equal(exitCode, 3, stderr);
  });

  it('gives the volume to driver and executors, and an executor whole tasks', () => {
    const { driver, executor, sparkConf } = application.spec;
    assert.deepEqual(driver.volumeMounts, [{ name: 'volume', mountPath: '/mnt' }]);
    assert.deepEqual(executor.volumeMounts, driver.volumeMounts);
    assert.equal(executor.cores % Number(sparkConf['spark.task.cpus']), 0);
  });
});

describe('its rights', () => {
  it('are valid, belong together, and are no more than a Role', () => {
    const [account, role, binding, ...others] = parse('rbac.yaml') as [
      ConstructorParameters<typeof ServiceAccount>[0],
      ConstructorParameters<typeof Role>[0],
      ConstructorParameters<typeof RoleBinding>[0],
    ];
    assert.deepEqual(others, []);
    for (const object of [new ServiceAccount(account), new Role(role), new RoleBinding(binding)]) {
      object.validate();
    }
    assert.equal(account?.metadata?.name, application.spec.driver.serviceAccount);
    assert.equal(binding?.roleRef.name, role?.metadata?.name);
    assert.equal(binding?.subjects?.[0]?.name, account?.metadata?.name);
    assert.ok(
      role?.rules?.every(({ verbs, resources }) => !verbs.includes('*') && !resources?.includes('*')),
    );
  });
});
