/** The targets' own Python packages open what `fedbatch k8s render --target` makes: see scripts/test-workflows.sh. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { execa } from 'execa';
import { toYaml } from '../k8s/manifests/templates.js';
import { renderWorkflow, type WorkflowName } from '../workflows/render-workflow.js';
import { settingsFromFlags } from './settings.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

const python = process.env.FEDBATCH_WORKFLOWS_PYTHON;
const skip = python === undefined ? 'no FEDBATCH_WORKFLOWS_PYTHON: run scripts/test-workflows.sh' : false;

const RUN = settingsFromFlags(['--clients', '4', '--fraction', '0.5', '--rounds', '2']);

interface Opened {
  readonly dropped: readonly string[];
}

interface Answer {
  readonly versions: Readonly<Record<string, string>>;
  readonly argo: Opened & { readonly templates: readonly string[] };
  readonly kfp: Opened & { readonly name: string; readonly tasks: readonly string[] };
  readonly jobset: Opened;
  readonly runtime: Opened;
  readonly trainJob: Opened;
}

const directory = sharedDirectory();

/** Writes the first object of a kind that a target is given, after a mistake where there is one; the path. */
function write(target: WorkflowName, kind?: string, mistake?: readonly [string, string]): string {
  const files = renderWorkflow(target, {
    ...{ ...RUN, values: { GPU: '1' }, threads: 1, queue: 'team', isolates: true },
  });
  const objects = files.flatMap((file) => file.objects);
  const chosen =
    kind === undefined
      ? objects
      : objects.filter((object) => 'kind' in object && object.kind === kind).slice(0, 1);
  const path = join(directory, `${target}-${kind ?? 'all'}.yaml`);
  const text = toYaml(chosen);
  assert.ok(mistake === undefined || text.includes(mistake[0]));
  writeFileSync(path, mistake === undefined ? text : text.replace(...mistake));
  return path;
}

async function open(paths: readonly string[]): Promise<Answer> {
  const script = join(projectRoot, 'test', 'workflows_interop.py');
  const { stdout } = await execa(python ?? '', [script, ...paths]);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Answer;
}

it('hera, the kfp SDK and the models of Kubeflow Trainer open each job, and lose nothing of it', {
  skip,
}, async (t) => {
  const paths = [
    write('argo'),
    write('kfp'),
    write('jobset'),
    write('kubeflow', 'TrainingRuntime'),
    write('kubeflow', 'TrainJob'),
  ];
  const { versions, argo, kfp, ...others } = await open(paths);
  t.diagnostic(JSON.stringify(versions));
  assert.deepEqual(argo.templates, ['job', 'round', 'split', 'init', 'train', 'aggregate', 'evaluate']);
  assert.equal(kfp.name, 'fedbatch');
  assert.deepEqual(kfp.tasks, ['init', 'round-0001', 'round-0002', 'split']);
  for (const [name, { dropped }] of Object.entries({ argo, kfp, ...others })) {
    assert.deepEqual(dropped, [], name);
  }
});

it('a field that they do not know is found', { skip }, async () => {
  const mistaken = await open([
    write('argo', 'Workflow', ['retryStrategy:', 'retries:']),
    write('kfp'),
    write('jobset', 'JobSet', ['dependsOn:', 'depends:']),
    write('kubeflow', 'TrainingRuntime', ['mlPolicy:', 'policy:']),
    write('kubeflow', 'TrainJob', ['numNodes:', 'nodes:']),
  ]);
  for (const each of ['argo', 'jobset', 'runtime', 'trainJob'] as const) {
    assert.notDeepEqual(mistaken[each].dropped, [], each);
  }
});
