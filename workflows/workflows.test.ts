/** What `fedbatch k8s render --engine` makes: valid by the engines' schemas, one and the same job, and the right one. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../k8s/manifests/templates.js';
import { faultsOf } from '../k8s/testing/check-manifest.js';
import { fieldsOf129, newestFields } from '../k8s/testing/fields.js';
import { UsageError } from '../lib/core/errors.js';
import { selectClients } from '../lib/federation/participation.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import { writeTinyDataset } from '../test/datasets.js';
import { runCommand } from '../test/program-host.js';
import { finishRun } from '../test/runs.js';
import { projectRoot } from '../test/sources.js';
import { sharedDirectory } from '../test/temporary-directory.js';
import {
  argoWaves,
  jobSetWaves,
  kfpWaves,
  kubeflowWaves,
  type StartedContainer,
  type Wave,
} from '../test/workflow-steps.js';
import { renderEngine, type WorkflowName } from './render-workflow.js';

const ENGINES = ['argo', 'kfp', 'kubeflow', 'jobset'] as const satisfies readonly WorkflowName[];

/** 2 of 4 clients a round. */
const VALUES = {
  WORKER_NUMBER: '4',
  EPOCH: '2',
  BATCH: '20',
  MODEL: 'mlp',
  SEED: '3',
  DATASET: '/mnt/tiny.npz',
  MIN_ACCURACY: '0.1',
  CLAIM: 'digits',
};
const FLAGS = { rounds: 2, fraction: 0.5 };

interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> };
}

function objectsOf(engine: WorkflowName, flags: object = FLAGS, options: object = {}): readonly Rendered[] {
  const files = renderEngine(engine, flags, { values: VALUES, ...options });
  return files.flatMap(({ objects }) => objects) as readonly Rendered[];
}

/** The definitions that the engines publish, by file. */
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

const DEFINITIONS: Readonly<Record<string, string>> = {
  Workflow: 'argo#/$defs/Workflow',
  JobSet: 'kubeflow#/$defs/JobsetV1alpha2JobSet',
  TrainJob: 'kubeflow#/$defs/TrainerV1alpha1TrainJob',
  TrainingRuntime: 'kubeflow#/$defs/TrainerV1alpha1TrainingRuntime',
};

const JOB = 'kubeflow#/$defs/IoK8sApiBatchV1JobSpec';
const PIPELINE = 'kfp#/$defs/ml_pipelines.PipelineSpec';
const EXECUTOR = 'kfp#/$defs/kfp_kubernetes.KubernetesExecutorConfig';

/** All problems of what an engine is given. */
function problemsOf(engine: WorkflowName, objects: readonly Rendered[]): readonly string[] {
  if (engine === 'kfp') {
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
      : problems(DEFINITIONS[object.kind] ?? object.kind, object),
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

// Each engine's object is of its own shape, which the reader of its steps knows.
const WAVES: Readonly<Record<WorkflowName, (objects: readonly Rendered[]) => readonly Wave[]>> = {
  argo: ([workflow]) => argoWaves(workflow as unknown as Parameters<typeof argoWaves>[0]),
  kfp: ([pipeline]) => kfpWaves(pipeline as unknown as Parameters<typeof kfpWaves>[0]),
  kubeflow: (objects) => kubeflowWaves(objects as unknown as Parameters<typeof kubeflowWaves>[0]),
  jobset: ([set]) => jobSetWaves(set as unknown as Parameters<typeof jobSetWaves>[0]),
};

/** What a container does, whichever way it was told its client, and wherever its program was named. */
function task({ image, command, env }: StartedContainer): string {
  const { JOB_COMPLETION_INDEX: index, FEDBATCH_CLIENTS: clients, ...others } = env;
  const told = index === undefined ? [] : [`--client=${clients?.split(',')[Number(index)]}`];
  const program = image.replace(/^fedbatch\//, '').replace(/:.*/, '');
  const args = command.filter((word) => word.startsWith('--'));
  return JSON.stringify([program, ...[...args, ...told].sort(), others]);
}

/** The Jobs among the objects of an engine, also those inside of a JobSet. */
function jobsIn(engine: WorkflowName): readonly KubernetesObject[] {
  type Inner = {
    readonly name: string;
    readonly template: { readonly metadata: object; readonly spec: object };
  };
  return objectsOf(engine).flatMap((object): readonly KubernetesObject[] => {
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

const directory = await sharedDirectory();
const data = await writeTinyDataset(directory);

describe('an engine is given', () => {
  for (const engine of ENGINES) {
    it(`what its schema takes: ${engine}`, () => {
      assert.deepEqual(problemsOf(engine, objectsOf(engine)), []);
      assert.deepEqual(problemsOf(engine, objectsOf(engine, { rounds: 12 }, { queue: 'team' })), []);
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
    for (const [container] of WAVES.argo(objectsOf('argo'))) {
      const program = container?.command[1] ?? '';
      if (program.endsWith('/trainer/init-cli.js')) continue;
      assert.ok(dockerfile.includes(`ENTRYPOINT ["node", "${program}"]`), program);
    }
  });

  it('nothing that its schema refuses: planted mistakes are found', () => {
    const plant = (engine: WorkflowName, from: string, to: string) => {
      const text = JSON.stringify(objectsOf(engine));
      assert.ok(text.includes(from), `${engine}: ${from}`);
      return problemsOf(engine, JSON.parse(text.replace(from, to)) as readonly Rendered[]);
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
    const [first, ...others] = ENGINES.map((engine) => {
      const waves = WAVES[engine](objectsOf(engine));
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
    const waves = WAVES.argo(objectsOf('argo'));
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
    for (const engine of ENGINES) {
      const text = JSON.stringify(objectsOf(engine, FLAGS, { queue: 'team' }));
      assert.match(text, /"(claimName|constant)":"digits"/, engine);
      assert.ok(text.includes('"kueue.x-k8s.io/queue-name":"team"'), engine);
      assert.ok(!JSON.stringify(objectsOf(engine)).includes('queue-name'), engine);
      if (engine === 'kfp') continue;
      const places = objectsOf(engine, FLAGS, options).map(
        ({ metadata }) => (metadata as { namespace?: string }).namespace,
      );
      assert.deepEqual([...new Set(places)], ['ml'], engine);
    }
    const [, platform] = objectsOf('kfp', FLAGS, { queue: 'team' }) as unknown as [
      object,
      KubernetesPlatform,
    ];
    for (const executor of Object.values(platform.platforms.kubernetes.deploymentSpec.executors)) {
      assert.deepEqual(
        executor.pvcMount.map(({ mountPath }) => mountPath),
        ['/mnt'],
      );
      assert.equal(executor.podMetadata.labels['kueue.x-k8s.io/queue-name'], 'team');
    }
  });

  it('a quorum where it can keep one, and a clear refusal where not', () => {
    const flags = { ...FLAGS, fraction: 1, quorum: { share: 0.5 } };
    const waves = WAVES.argo(objectsOf('argo', flags));
    assert.ok(waves[3]?.[0]?.command.includes('--min-updates=2'));
    assert.match(JSON.stringify(objectsOf('argo', flags)), /"continueOn":\{"failed":true\}/);
    assert.doesNotMatch(JSON.stringify(objectsOf('argo')), /continueOn/);
    assert.match(JSON.stringify(objectsOf('kubeflow', flags)), /"maxFailedIndexes":2/);
    for (const engine of ['kfp', 'jobset'] as const) {
      assert.throws(() => objectsOf(engine, flags), UsageError);
    }
    assert.throws(() => objectsOf('argo', { fraction: 2 }), UsageError);
    assert.throws(() => objectsOf('kfp', FLAGS, { namespace: 'ml' }), UsageError);
  });
});

/** Their commands, by the programs that containers start. */
const COMMANDS: Readonly<Record<string, string>> = {
  'splitter/cli': 'split',
  'trainer/init-cli': 'init',
  'trainer/cli': 'train',
  'aggregator/cli': 'aggregate',
  'evaluator/cli': 'evaluate',
};

/** Runs what a job's containers do; `/mnt` is `volume`. */
async function runWaves(waves: readonly Wave[], volume: string): Promise<void> {
  for (const wave of waves) {
    for (const { command } of wave) {
      const [node, program = '', ...args] = command;
      assert.equal(node, 'node');
      const words = args.map((word) => word.replace('=/mnt/', `=${volume}/`));
      const threads = /(trainer\/cli|evaluator)/.test(program) ? ['--threads=1'] : [];
      const [, name = ''] = /^\/app\/dist\/(.*)\.js$/.exec(program) ?? [];
      const { exitCode, stderr } = await runCommand(COMMANDS[name] ?? program, [...words, ...threads]);
      assert.equal(exitCode, 0, `${program}: ${stderr}`);
    }
  }
}

describe('the job of an engine', () => {
  const volume = join(directory, 'volume');

  before(async () => {
    await mkdir(volume);
    await cp(data, join(volume, 'tiny.npz'));
  });

  it('ends with the model of fedbatch run', async () => {
    const waves = WAVES.argo(objectsOf('argo'));
    const settings = ['--model', 'mlp', '--batch', '20', '--epochs', '2', '--seed', '3', '--threads', '1'];
    const flags = [...settings, '--clients', '4', '--fraction', '0.5', '--rounds', '2'];
    // Simulated: the bytes of a run by processes.
    const local = await finishRun(join(directory, 'local'), ['--data', data, ...flags, '--simulate']);
    await runWaves(waves, volume);
    assert.equal(await sha256OfFile(join(volume, 'aggregated-model.h5'), 'the model'), local.sha256);
  });
});

describe('fedbatch k8s render --engine', () => {
  const COMMAND = ['render', '--clients', '4', '--epochs', '2', '--batch', '20'];

  it('prints what engines read, or writes it to a directory', async () => {
    const printed = await runCommand('k8s', [...COMMAND, '--engine', 'kfp', '--rounds', '2']);
    assert.equal(printed.exitCode, 0, printed.stderr);
    const documents = parseAllDocuments(printed.stdout, { version: '1.1' }).map(
      (each) => each.toJS() as Rendered,
    );
    assert.deepEqual(problemsOf('kfp', documents), []);
    const output = join(directory, 'kubeflow');
    const written = await runCommand('k8s', [...COMMAND, '--engine', 'kubeflow', '--out', output]);
    assert.equal(written.exitCode, 0, written.stderr);
    assert.deepEqual(readdirSync(output), [
      '1-trainingruntime.yaml',
      '2-fedbatch-split.yaml',
      '3-fedbatch-init.yaml',
      '4-fedbatch-train-0001.yaml',
      '5-fedbatch-aggregate-0001.yaml',
      '6-fedbatch-evaluate-0001.yaml',
    ]);
  });

  it('refuses what does not go together, in one sentence', async () => {
    const wrong = [
      [['--engine', 'argo', 'trainer'], /--engine makes the whole job/],
      [['--rounds', '3'], /--rounds goes with --engine only/],
      [['--engine', 'airflow'], /Allowed choices are argo, kfp, kubeflow, jobset/],
      [['--engine', 'argo', '--quorum', 'most'], /Expected a number of updates/],
      [['--engine', 'argo', '--quorum', '9'], /--quorum 9 is more than the 4 of 4 clients/],
      [['--engine', 'argo', '--set', 'CLIENTS=1,2'], /CLIENTS does not go with --engine/],
    ] as const;
    const endings = await Promise.all(wrong.map(([flags]) => runCommand('k8s', [...COMMAND, ...flags])));
    endings.forEach(({ exitCode, stderr }, index) => {
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, wrong[index]?.[1] ?? /never/);
    });
  });
});
