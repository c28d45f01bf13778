/** What `fedbatch k8s render --target` makes: valid by the targets' schemas, one and the same job, and the right one. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../k8s/manifests/templates.js';
import { faultsOf } from '../k8s/testing/check-manifest.js';
import { fieldsOf129, newestFields } from '../k8s/testing/fields.js';
import { UsageError } from '../lib/core/errors.js';
import { selectClients } from '../lib/federation/participation.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import { writeTinyDataset } from '../test/datasets.js';
import { containerProcess } from '../test/kube/container-process.js';
import { podOf } from '../test/kube/job-pods.js';
import type { KubeObject } from '../test/kube/objects.js';
import { runCommand } from '../test/program-host.js';
import { finishRun } from '../test/runs.js';
import { settingsFromFlags } from '../test/settings.js';
import { projectRoot } from '../test/sources.js';
import { sharedDirectory } from '../test/temporary-directory.js';
import { argumentsOf, type StartedContainer, TARGET_FACTS } from '../test/workflow-steps.js';
import { renderWorkflow, WORKFLOW_NAMES, type WorkflowName } from './render-workflow.js';
import type { WorkflowOptions } from './workflow-job.js';

/** Of a client's training. */
const TRAINING = ['--model', 'mlp', '--batch', '20', '--epochs', '2', '--seed', '3'];

/** 2 of 4 clients a round. */
const CLIENTS = ['--clients', '4', '--fraction', '0.5'];
const VALUES = { MIN_ACCURACY: '0.1', CLAIM: 'digits' };

interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> };
}

/** The objects of a job of two rounds, unless the flags say otherwise. */
function objectsOf(
  target: WorkflowName,
  flags: readonly string[] = [],
  options: Partial<WorkflowOptions> = {},
): readonly Rendered[] {
  const run = settingsFromFlags([
    '--data',
    '/mnt/tiny.npz',
    '--rounds',
    '2',
    ...TRAINING,
    ...CLIENTS,
    ...flags,
  ]);
  const files = renderWorkflow(target, {
    ...{ ...run, values: VALUES, threads: 1, isolates: true, ...options },
    asked: new Map([...run.asked, ...Object.keys(options).map((name) => [name, `--${name}`] as const)]),
  });
  return files.flatMap(({ objects }) => objects) as readonly Rendered[];
}

/** The definitions that the targets publish, by file. */
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
for (const name of ['argo', 'kfp', 'kubeflow']) {
  const text = readFileSync(join(projectRoot, 'workflows', 'fixtures', `${name}.json`), 'utf8');
  ajv.addSchema(JSON.parse(text) as object, name);
}

/** What is wrong with an object by one of the definitions. */
function problems(definition: string, object: unknown): readonly string[] {
  const validate = ajv.getSchema(definition);
  assert.ok(validate !== undefined, definition);
  validate(object);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

const JOB = 'kubeflow#/$defs/IoK8sApiBatchV1JobSpec';
const PIPELINE = 'kfp#/$defs/ml_pipelines.PipelineSpec';
const EXECUTOR = 'kfp#/$defs/kfp_kubernetes.KubernetesExecutorConfig';

/** All problems of what a target is given. */
function problemsOf(target: WorkflowName, objects: readonly Rendered[]): readonly string[] {
  if (target === 'kfp') {
    const [pipeline, platform] = objects as unknown as [object, KubernetesPlatform];
    const { executors } = platform.platforms.kubernetes.deploymentSpec;
    return [
      ...problems(PIPELINE, pipeline),
      ...Object.values(executors).flatMap((executor) => problems(EXECUTOR, executor)),
    ];
  }
  return objects.flatMap((object) =>
    object.kind === 'Job'
      ? problems(JOB, (object as unknown as { spec: object }).spec)
      : problems(TARGET_FACTS[target].schemas[object.kind] ?? object.kind, object),
  );
}

interface KubernetesPlatform {
  readonly platforms: {
    readonly kubernetes: { readonly deploymentSpec: { readonly executors: Record<string, Executor> } };
  };
}

interface Executor {
  readonly pvcMount: readonly { readonly constant: string; readonly mountPath: string }[];
  readonly podMetadata: { readonly labels: Readonly<Record<string, string>> };
}

/** What a container does, whichever way it was told its client, and wherever its program was named. */
function task(container: StartedContainer): string {
  const { JOB_COMPLETION_INDEX: _index, FEDBATCH_CLIENTS: _clients, ...others } = container.env;
  const program = container.image.replace(/^fedbatch\//, '').replace(/:.*/, '');
  return JSON.stringify([program, ...[...argumentsOf(container)].sort(), others]);
}

/** The Jobs among the objects of a target, also those inside of a JobSet. */
function jobsIn(target: WorkflowName, flags: readonly string[] = []): readonly KubernetesObject[] {
  type Inner = {
    readonly name: string;
    readonly template: { readonly metadata: object; readonly spec: object };
  };
  return objectsOf(target, flags).flatMap((object): readonly KubernetesObject[] => {
    if (object.kind === 'Job') return [object as KubernetesObject];
    if (object.kind !== 'JobSet') return [];
    const { replicatedJobs } = (object as unknown as { spec: { replicatedJobs: readonly Inner[] } }).spec;
    return replicatedJobs.map(({ name, template }) => {
      // The labels by which its pods are told from others are the Job's too.
      const metadata = { ...template.metadata, name };
      const job = { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: template.spec };
      return job as unknown as KubernetesObject;
    });
  });
}

/** The pods that Argo makes of a workflow, without its own containers. */
function podsIn(): readonly KubernetesObject[] {
  interface Template {
    readonly name: string;
    readonly metadata?: object;
    readonly container?: object;
    readonly affinity?: object;
  }
  const [workflow] = objectsOf('argo') as unknown as readonly {
    readonly spec: {
      readonly volumes: object;
      readonly securityContext: object;
      readonly templates: readonly Template[];
    };
  }[];
  assert.ok(workflow !== undefined);
  const { volumes, securityContext, templates } = workflow.spec;
  return templates.flatMap(({ name, metadata, container, affinity }): readonly KubernetesObject[] => {
    if (container === undefined) return [];
    const spec = {
      ...{
        volumes,
        securityContext,
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        enableServiceLinks: false,
      },
      ...(affinity === undefined ? {} : { affinity }),
      containers: [{ ...container, name: 'main' }],
    };
    return [
      { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec } as unknown as KubernetesObject,
    ];
  });
}

const directory = sharedDirectory();
const data = await writeTinyDataset(directory);

describe('a target is given', () => {
  for (const target of WORKFLOW_NAMES) {
    it(`what its schema takes: ${target}`, () => {
      assert.deepEqual(problemsOf(target, objectsOf(target)), []);
      assert.deepEqual(problemsOf(target, objectsOf(target, ['--rounds', '12'], { queue: 'team' })), []);
    });
  }

  it('pods and Jobs that Kubernetes takes, of 1.29 and the newest', () => {
    for (const [version, fields] of [['1.29', fieldsOf129()] as const, ['newest', newestFields()] as const]) {
      for (const object of [...jobsIn('kubeflow'), ...jobsIn('jobset'), ...podsIn()]) {
        assert.deepEqual(faultsOf(object, fields), [], `${object.metadata.name}, ${version}`);
      }
    }
  });

  it('the programs that are the entry points of the images', () => {
    const dockerfile = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8');
    for (const [container] of TARGET_FACTS.argo.waves(objectsOf('argo'))) {
      const program = container?.command[1] ?? '';
      if (program.endsWith('/trainer/init-cli.js')) continue;
      assert.ok(dockerfile.includes(`ENTRYPOINT ["node", "${program}"]`), program);
    }
  });

  it('nothing that its schema refuses: planted mistakes are found', () => {
    const plant = (target: WorkflowName, from: string, to: string) => {
      const text = JSON.stringify(objectsOf(target));
      assert.ok(text.includes(from), `${target}: ${from}`);
      return problemsOf(target, JSON.parse(text.replace(from, to)) as readonly Rendered[]);
    };
    assert.notDeepEqual(plant('argo', '"withParam"', '"withParams"'), []);
    assert.notDeepEqual(
      plant('argo', '"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":"true"'),
      [],
    );
    assert.notDeepEqual(plant('argo', '"entrypoint"', '"entryPoint"'), []);
    assert.notDeepEqual(plant('kfp', '"parameterIterator"', '"iterator"'), []);
    assert.notDeepEqual(plant('kfp', '"parameterType":"LIST"', '"parameterType":"ARRAY"'), []);
    assert.notDeepEqual(plant('kfp', '"pvcMount"', '"pvcMounts"'), []);
    assert.notDeepEqual(plant('kubeflow', '"numNodes":2', '"numNodes":"2"'), []);
    assert.notDeepEqual(plant('kubeflow', '"runtimeRef"', '"runtime"'), []);
    assert.notDeepEqual(plant('kubeflow', '"backoffLimit":3', '"backOffLimit":3'), []);
    assert.notDeepEqual(plant('jobset', '"dependsOn"', '"depends"'), []);
    assert.notDeepEqual(plant('jobset', '"image":"fedbatch', '"images":"fedbatch'), []);
  });

  it('the same tasks in the same order as every other', () => {
    const [first, ...others] = WORKFLOW_NAMES.map((target) => {
      const waves = TARGET_FACTS[target].waves(objectsOf(target));
      return waves.map((wave) => wave.map(task).sort());
    });
    assert.deepEqual(
      first?.map((wave) => wave.length),
      [1, 1, 2, 1, 1, 2, 1, 1],
    );
    for (const other of others) assert.deepEqual(other, first);
  });

  it('the clients that fedbatch run selects, and rules for them', () => {
    const selection = { clients: 4, fraction: 0.5, minClients: 1 };
    const waves = TARGET_FACTS.argo.waves(objectsOf('argo'));
    [1, 2].forEach((round) => {
      const trained = waves[3 * round - 1]?.map(({ command }) => command.at(-1));
      const selected = selectClients(selection, { seed: 3, round });
      assert.deepEqual(
        trained,
        selected.map((client) => `--client=${client}`),
      );
    });
    const tests = waves
      .map((wave) => wave[0]?.command ?? [])
      .filter((words) => words[1]?.includes('evaluator'));
    assert.deepEqual(
      tests.map((words) => words.filter((word) => /^--(min-acc|model)/.test(word)).sort()),
      [
        ['--min-accuracy=0', '--model=/mnt/rounds/0002/global.h5'],
        ['--min-accuracy=0.1', '--model=/mnt/aggregated-model.h5'],
      ],
    );
  });

  it('the claim, the namespace and the queue', () => {
    const options = { queue: 'team', namespace: 'ml' };
    for (const target of WORKFLOW_NAMES) {
      const text = JSON.stringify(objectsOf(target, [], { queue: 'team' }));
      assert.match(text, /"(claimName|constant)":"digits"/, target);
      assert.ok(text.includes('"kueue.x-k8s.io/queue-name":"team"'), target);
      assert.ok(!JSON.stringify(objectsOf(target)).includes('queue-name'), target);
      if (target === 'kfp') continue;
      const places = objectsOf(target, [], options).map(
        ({ metadata }) => (metadata as { namespace?: string }).namespace,
      );
      assert.deepEqual([...new Set(places)], ['ml'], target);
    }
    const [, platform] = objectsOf('kfp', [], { queue: 'team' }) as unknown as [object, KubernetesPlatform];
    for (const executor of Object.values(platform.platforms.kubernetes.deploymentSpec.executors)) {
      assert.deepEqual(
        executor.pvcMount.map(({ mountPath }) => mountPath),
        ['/mnt'],
      );
      assert.equal(executor.podMetadata.labels['kueue.x-k8s.io/queue-name'], 'team');
    }
  });

  it('pods that see what they need of the claim where mounts can be chosen, and all of it where that is asked for', () => {
    interface Mount {
      readonly name: string;
      readonly mountPath: string;
      readonly subPath?: string;
      readonly subPathExpr?: string;
    }
    /** By the name of the container, what it mounts of the claim, and what hides a part of that. */
    const seen = (target: WorkflowName, options: Partial<WorkflowOptions> = {}) => {
      const found = new Map<string, readonly string[]>();
      JSON.stringify(objectsOf(target, [], options), (_key, value) => {
        if (Array.isArray(value?.volumeMounts) && typeof value.image === 'string') {
          const mounts = (value.volumeMounts as readonly Mount[]).filter(
            ({ mountPath }) => mountPath !== '/tmp',
          );
          const told = mounts.map((each) =>
            [each.name, each.mountPath, each.subPathExpr ?? each.subPath].filter(Boolean).join(' '),
          );
          const args = JSON.stringify(value.args ?? []);
          const [program = ''] = /aggregated|--dir|--data=|--step=\w+|--models?/.exec(args) ?? [];
          const round = /--round=(\d)/.exec(args)?.[1] ?? '';
          found.set(`${value.name ?? ''} ${program} ${round}`.trim(), told);
        }
        return value;
      });
      return found;
    };
    const own = (round: number) => [
      `volume /mnt data/places/000${round}/$(JOB_COMPLETION_INDEX)`,
      `volume /mnt/rounds/000${round}/updates rounds/000${round}/updates/$(JOB_COMPLETION_INDEX)`,
    ];
    const noShards = [
      'volume /mnt',
      'tmp /mnt/data no-data',
      'volume /mnt/data/manifest.json data/manifest.json',
    ];
    const jobs = seen('jobset');
    assert.deepEqual([jobs.get('trainer --data= 1'), jobs.get('trainer --data= 2')], [own(1), own(2)]);
    assert.deepEqual(jobs.get('record-gathered --step=gathered 2'), noShards);
    assert.deepEqual(
      jobs.get('record-placed --step=placed 3'),
      ['volume /mnt'],
      'behind the last one places go',
    );
    assert.deepEqual(jobs.get('aggregator --dir 2'), noShards);
    const runtimes = seen('kubeflow');
    assert.deepEqual(runtimes.get('aggregator --dir 1'), noShards);
    assert.match(JSON.stringify(objectsOf('kubeflow')), /places\/0002\/\$\(JOB_COMPLETION_INDEX\)/);
    assert.deepEqual(
      [...seen('argo').values()].filter((mounts) => mounts.length > 1),
      [noShards],
    );
    for (const target of ['jobset', 'kubeflow', 'argo'] as const) {
      const whole = seen(target, { isolates: false });
      assert.deepEqual([...new Set([...whole.values()].flat())], ['volume /mnt'], target);
      assert.ok(![...whole.keys()].some((name) => name.includes('record')), target);
    }
  });

  it('a quorum where it can keep one, and a clear refusal where not', () => {
    const flags = ['--fraction', '1', '--quorum', '50%'];
    const waves = TARGET_FACTS.argo.waves(objectsOf('argo', flags));
    assert.ok(waves[3]?.[0]?.command.includes('--min-updates=2'));
    assert.match(JSON.stringify(objectsOf('argo', flags)), /"continueOn":\{"failed":true\}/);
    assert.doesNotMatch(JSON.stringify(objectsOf('argo')), /continueOn/);
    assert.match(JSON.stringify(objectsOf('kubeflow', flags)), /"maxFailedIndexes":2/);
    for (const target of ['kfp', 'jobset'] as const) {
      assert.throws(() => objectsOf(target, flags), UsageError);
    }
    assert.throws(() => objectsOf('argo', ['--fraction', '2']), /Expected a number above 0, up to 1/);
    assert.throws(() => objectsOf('kfp', [], { namespace: 'ml' }), UsageError);
  });
});

/** Their commands, by the programs that containers start. */
const COMMANDS: Readonly<Record<string, string>> = {
  'splitter/cli': 'split',
  'trainer/init-cli': 'init',
  'trainer/cli': 'train',
  'aggregator/cli': 'aggregate',
  'evaluator/cli': 'evaluate',
  'pipeline/record/cli': 'record',
};

/** Runs what the containers of Jobs do, one after the other, where they have their mounts: the claim is `volume`. */
async function runJobs(jobs: readonly KubernetesObject[], volume: string): Promise<void> {
  for (const job of jobs as unknown as readonly KubeObject[]) {
    const { completions = 1 } = job.spec;
    for (let index = 0; index < completions; index++) {
      const pod = podOf(job, index);
      const { initContainers = [], containers } = pod.spec;
      for (const container of [...initContainers, ...containers]) {
        const mounts = new Map([
          ['volume', volume],
          ['tmp', join(directory, 'tmp')],
        ]);
        const options = { container, mounts, messagePath: join(directory, 'message') };
        const { arguments: words, env } = containerProcess(pod, options);
        const [program = '', ...args] = words;
        const [, name = ''] = /\/dist\/(.*)\.js$/.exec(program) ?? [];
        const threads = /(trainer\/cli|evaluator)/.test(program) ? ['--threads=1'] : [];
        const { JOB_COMPLETION_INDEX: at, FEDBATCH_CLIENTS: clients } = env;
        const told = at === undefined ? [] : [`--client-index=${at}`, `--clients=${clients}`];
        const { exitCode, stderr } = await runCommand(COMMANDS[name] ?? program, [
          ...args,
          ...threads,
          ...told,
        ]);
        assert.equal(exitCode, 0, `${program} ${args.join(' ')}: ${stderr}`);
      }
    }
  }
}

describe('the job of a target', () => {
  const strategies = {
    'a mean': [],
    'a server optimizer, whose state goes from round to round, over skewed shards': [
      ...['--strategy', 'fedadam', '--partition', 'dirichlet', '--learning-rate-decay', '0.9'],
    ],
    'clients that go on from what they keep on the volume': [
      ...['--strategy', 'scaffold', '--optimizer', 'sgd', '--momentum', '0'],
    ],
  };
  for (const [strategy, more] of Object.entries(strategies)) {
    it(`ends with the model of fedbatch run, with ${strategy}`, async () => {
      const volume = join(directory, `volume-${more[1] ?? 'fedavg'}`);
      await mkdir(volume);
      await cp(data, join(volume, 'tiny.npz'));
      const flags = [...TRAINING, '--threads', '1', ...CLIENTS, '--rounds', '2', ...more];
      // Simulated: the bytes of a run by processes.
      const local = await finishRun(`${volume}-local`, ['--data', data, ...flags, '--simulate']);
      await runJobs(jobsIn('jobset', more), volume);
      assert.equal(await sha256OfFile(join(volume, 'aggregated-model.h5'), 'the model'), local.sha256);
      assert.ok(!readdirSync(join(volume, 'data')).includes('places'));
      assert.deepEqual(readdirSync(join(volume, 'rounds', '0002', 'updates')).length, 2);
    });
  }
});

describe('fedbatch k8s render --target', () => {
  const COMMAND = ['render', '--clients', '4', '--epochs', '2', '--batch', '20'];

  it('prints what targets read, or writes it to a directory', async () => {
    const printed = await runCommand('k8s', [...COMMAND, '--target', 'kfp', '--rounds', '2']);
    assert.equal(printed.exitCode, 0, printed.stderr);
    const documents = parseAllDocuments(printed.stdout, { version: '1.1' }).map(
      (each) => each.toJS() as Rendered,
    );
    assert.deepEqual(problemsOf('kfp', documents), []);
    const output = join(directory, 'kubeflow');
    const written = await runCommand('k8s', [...COMMAND, '--target', 'kubeflow', '--out', output]);
    assert.equal(written.exitCode, 0, written.stderr);
    assert.deepEqual(readdirSync(output), [
      '1-fedbatch-split.yaml',
      '2-fedbatch-init.yaml',
      '3-runtime-0001.yaml',
      '4-fedbatch-train-0001.yaml',
      '5-fedbatch-aggregate-0001.yaml',
      '6-fedbatch-evaluate-0001.yaml',
    ]);
  });

  it('understands the words of before: --engine for the target, placeholders for settings', async () => {
    const set = ['--set', 'MODEL=mlp', '--set', 'SEED=7', '--set', 'DATASET=/mnt/mine.npz'];
    const before = await runCommand('k8s', [...COMMAND, '--engine', 'argo', ...set]);
    assert.equal(before.exitCode, 0, before.stderr);
    assert.match(before.stderr, /--engine argo is now --target argo/);
    const settings = ['--model', 'mlp', '--seed', '7', '--data', '/mnt/mine.npz'];
    const now = await runCommand('k8s', [...COMMAND, '--target', 'argo', ...settings]);
    assert.equal(now.stderr, '');
    assert.equal(now.stdout, before.stdout);
    const wrong = await runCommand('k8s', [...COMMAND, '--target', 'argo', '--set', 'MODEL=gpt']);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /MODEL: expected one of/);
  });

  it('refuses what does not go together, in one sentence', async () => {
    const wrong = [
      [['--target', 'argo', 'trainer'], /--target makes the whole job/],
      [['--rounds', '3'], /--rounds goes with --target only/],
      [['--target', 'airflow'], new RegExp(`Allowed choices are ${WORKFLOW_NAMES.join(', ')}`)],
      [['--target', 'argo', '--quorum', 'most'], /Expected a number of updates/],
      [['--target', 'argo', '--quorum', '9'], /--quorum 9 is more than the 4 of 4 clients/],
      [
        ['--target', 'argo', '--set', 'CLIENTS=1,2'],
        /--set CLIENTS does not go with --target argo: --fraction tells/,
      ],
      [['--strategy', 'fedadam'], /--strategy goes with --target only/],
      [['--target', 'kfp', '--target-accuracy', '0.9'], /--target-accuracy does not go with --target kfp/],
      [
        ['--target', 'jobset', '--rounds', '5', '--patience', '2'],
        /--patience does not go with --target jobset/,
      ],
      [['--target', 'argo', '--retries', '3'], /--retries does not go with --target argo/],
      [['--target', 'argo', '--round-deadline', '60'], /--round-deadline does not go with --target argo/],
      [
        ['--target', 'argo', '--data', 'mine.npz'],
        /--data mine.npz: expected one of digits, mnist, or a path/,
      ],
    ] as const;
    const endings = await Promise.all(wrong.map(([flags]) => runCommand('k8s', [...COMMAND, ...flags])));
    endings.forEach(({ exitCode, stderr }, index) => {
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, wrong[index]?.[1] ?? /never/);
    });
  });
});
