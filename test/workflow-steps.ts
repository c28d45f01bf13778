/** What the tests know of each target: which containers it starts, in order, what it refuses, how its objects are checked. */
import assert from 'node:assert/strict';
import { readClientList } from '../lib/federation/client-list.js';
import { INDEXED_CLIENT } from '../lib/formats/volume.js';
import type { WorkflowName } from '../workflows/render-workflow.js';
import type { DEFINITIONS } from './cluster/definitions.js';

/** One container that a target starts; those of one wave run side by side. */
export interface StartedContainer {
  readonly image: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Containers that run side by side. */
export type Wave = readonly StartedContainer[];

interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

type Parameters = Readonly<Record<string, string>>;

function started(container: Container, fill: (text: string) => string = (text) => text): StartedContainer {
  const { image, command = [], args = [], env = [] } = container;
  const filled = [...command, ...args].map(fill);
  for (const text of filled) assert.doesNotMatch(text, /\{\{/, 'a parameter that nobody fills');
  return {
    image,
    command: filled,
    env: Object.fromEntries(env.map(({ name, value = '' }) => [name, value])),
  };
}

interface NameAndValue {
  readonly name: string;
  readonly value?: string;
}

interface ArgoStep {
  readonly template: string;
  readonly withParam?: string;
  readonly arguments?: { readonly parameters: readonly NameAndValue[] };
}

interface ArgoTemplate {
  readonly name: string;
  readonly inputs?: { readonly parameters: readonly NameAndValue[] };
  readonly steps?: readonly (readonly ArgoStep[])[];
  readonly container?: Container;
}

interface ArgoWorkflow {
  readonly spec: { readonly entrypoint: string; readonly templates: readonly ArgoTemplate[] };
}

/** A workflow of steps, parameters and `withParam`. */
function argoWaves(workflow: ArgoWorkflow): readonly Wave[] {
  const { entrypoint, templates } = workflow.spec;
  const run = (name: string, given: Parameters): readonly Wave[] => {
    const template = templates.find((each) => each.name === name);
    assert.ok(template !== undefined, `no template ${name}`);
    const inputs = (template.inputs?.parameters ?? []).map((input) => input.name);
    assert.deepEqual(Object.keys(given).sort(), [...inputs].sort(), `parameters of ${name}`);
    const fill = (text: string) =>
      text.replaceAll(/\{\{inputs\.parameters\.(\w+)\}\}/g, (_all, input: string) => given[input] ?? '{{');
    if (template.container !== undefined) return [[started(template.container, fill)]];
    return (template.steps ?? []).flatMap((group) => merged(group.flatMap((step) => runStep(step, fill))));
  };
  const runStep = (step: ArgoStep, fill: (text: string) => string): readonly (readonly Wave[])[] => {
    const items: readonly unknown[] =
      step.withParam === undefined ? [undefined] : (JSON.parse(fill(step.withParam)) as unknown[]);
    return items.map((item) => {
      const given = (step.arguments?.parameters ?? []).map(({ name, value = '' }) => [
        name,
        fill(value).replaceAll('{{item}}', `${item}`),
      ]);
      return run(step.template, Object.fromEntries(given) as Parameters);
    });
  };
  return run(entrypoint, {});
}

/** Things that go side by side, wave by wave. */
function merged(threads: readonly (readonly Wave[])[]): readonly Wave[] {
  const length = Math.max(0, ...threads.map((waves) => waves.length));
  return Array.from({ length }, (_, index) => threads.flatMap((waves) => waves[index] ?? []));
}

interface KfpInput {
  readonly runtimeValue?: { readonly constant: unknown };
  readonly componentInputParameter?: string;
}

interface KfpTask {
  readonly componentRef: { readonly name: string };
  readonly dependentTasks?: readonly string[];
  readonly inputs?: { readonly parameters: Readonly<Record<string, KfpInput>> };
  readonly parameterIterator?: {
    readonly itemInput: string;
    readonly items: { readonly inputParameter: string };
  };
}

interface KfpDag {
  readonly tasks: Readonly<Record<string, KfpTask>>;
}

interface KfpPipeline {
  readonly root: { readonly dag: KfpDag };
  readonly components: Readonly<
    Record<
      string,
      {
        readonly dag?: KfpDag;
        readonly executorLabel?: string;
        readonly inputDefinitions?: { readonly parameters: object };
      }
    >
  >;
  readonly deploymentSpec: {
    readonly executors: Readonly<Record<string, { readonly container: Container }>>;
  };
}

/** A pipeline whose tasks follow each other in a chain. */
function kfpWaves({ root, components, deploymentSpec }: KfpPipeline): readonly Wave[] {
  const runDag = ({ tasks }: KfpDag, given: Readonly<Record<string, unknown>>): readonly Wave[] => {
    const waves: Wave[] = [];
    const done = new Set<string>();
    const left = new Map(Object.entries(tasks));
    while (left.size > 0) {
      const ready = [...left].filter(([, { dependentTasks = [] }]) =>
        dependentTasks.every((on) => done.has(on)),
      );
      assert.ok(ready.length > 0, `tasks wait for each other: ${[...left.keys()].join(', ')}`);
      waves.push(...merged(ready.flatMap(([, task]) => runTask(task, given))));
      for (const [name] of ready) {
        left.delete(name);
        done.add(name);
      }
    }
    return waves;
  };
  const runTask = (task: KfpTask, outer: Readonly<Record<string, unknown>>): readonly (readonly Wave[])[] => {
    const inputs = Object.fromEntries(
      Object.entries(task.inputs?.parameters ?? {}).map(
        ([name, { runtimeValue, componentInputParameter }]) => {
          if (runtimeValue !== undefined) return [name, runtimeValue.constant];
          assert.ok(componentInputParameter !== undefined && componentInputParameter in outer, name);
          return [name, outer[componentInputParameter]];
        },
      ),
    );
    const component = components[task.componentRef.name];
    assert.ok(component !== undefined, `no component ${task.componentRef.name}`);
    const { itemInput, items } = task.parameterIterator ?? { itemInput: undefined, items: undefined };
    const rows =
      itemInput === undefined || items === undefined
        ? [inputs]
        : (inputs[items.inputParameter] as readonly unknown[]).map((item) => ({
            ...inputs,
            [itemInput]: item,
          }));
    return rows.map((row) => {
      const defined = Object.keys(component.inputDefinitions?.parameters ?? {});
      assert.deepEqual(Object.keys(row).sort(), defined.sort(), `inputs of ${task.componentRef.name}`);
      if (component.dag !== undefined) return runDag(component.dag, row);
      const executor = deploymentSpec.executors[component.executorLabel ?? ''];
      assert.ok(executor !== undefined, `no executor ${component.executorLabel}`);
      const fill = (text: string) =>
        text.replaceAll(/\{\{\$\.inputs\.parameters\['(\w+)'\]\}\}/g, (_all, name: string) => `${row[name]}`);
      return [[started(executor.container, fill)]];
    });
  };
  return runDag(root.dag, {});
}

interface JobSpec {
  readonly completions?: number;
  readonly template: {
    readonly spec: {
      readonly initContainers?: readonly Container[];
      readonly containers: readonly Container[];
    };
  };
}

/** Lays out what others see, or gathers what they leave; no part of the work. */
const isRecorder = ([container]: Wave): boolean =>
  container?.command.includes('/app/dist/pipeline/record/cli.js') === true;

/** What the containers of a Job do for the work, one after the other. */
function jobWaves(spec: JobSpec): readonly Wave[] {
  const { initContainers = [], containers } = spec.template.spec;
  const first = initContainers.map((container) => [started(container)]);
  return [...first, jobWave({ ...spec, template: { spec: { containers } } })].filter(
    (wave) => !isRecorder(wave),
  );
}

/** An Indexed Job: a container for each index, the index in its environment; any other Job: one. */
export function jobWave({ completions, template }: JobSpec): Wave {
  const [container] = template.spec.containers;
  assert.ok(container !== undefined);
  const one = started(container);
  if (completions === undefined) return [one];
  return Array.from({ length: completions }, (_, index) => ({
    ...one,
    env: { ...one.env, JOB_COMPLETION_INDEX: `${index}` },
  }));
}

interface JobSet {
  readonly spec: {
    readonly replicatedJobs: readonly {
      readonly name: string;
      readonly dependsOn?: readonly { readonly name: string; readonly status: string }[];
      readonly template: { readonly spec: JobSpec };
    }[];
  };
}

/** A JobSet whose jobs wait for each other in a chain. */
function jobSetWaves({ spec }: JobSet): readonly Wave[] {
  spec.replicatedJobs.forEach(({ dependsOn }, index) => {
    const before = spec.replicatedJobs[index - 1];
    assert.deepEqual(dependsOn, before && [{ name: before.name, status: 'Complete' }]);
  });
  return spec.replicatedJobs.flatMap(({ template }) => jobWaves(template.spec));
}

interface TrainerPatch {
  readonly numNodes: number;
  readonly args: readonly string[];
  readonly env: readonly NameAndValue[];
}

type KubeflowObject =
  | { readonly kind: 'Job'; readonly spec: JobSpec }
  | {
      readonly kind: 'TrainingRuntime';
      readonly metadata: { readonly name: string };
      readonly spec: { readonly template: JobSet };
    }
  | {
      readonly kind: 'TrainJob';
      readonly spec: { readonly runtimeRef: { readonly name: string }; readonly trainer: TrainerPatch };
    };

/** Objects applied one after the other; a TrainJob's trainer takes its place in the job `node` of the runtime before it. */
function kubeflowWaves(objects: readonly KubeflowObject[]): readonly Wave[] {
  return objects.flatMap((object, at) => {
    if (object.kind === 'Job') return jobWaves(object.spec);
    if (object.kind === 'TrainingRuntime') return [];
    const runtime = objects[at - 1];
    assert.ok(runtime?.kind === 'TrainingRuntime' && object.spec.runtimeRef.name === runtime.metadata.name);
    const [node] = runtime.spec.template.spec.replicatedJobs;
    const container = node?.template.spec.template.spec.containers.find(
      ({ name }: Container & { name?: string }) => name === 'node',
    );
    assert.ok(node?.name === 'node' && container !== undefined);
    const { numNodes, args, env } = object.spec.trainer;
    const patched = { ...container, args, env: [...(container.env ?? []), ...env] };
    return [jobWave({ completions: numNodes, template: { spec: { containers: [patched] } } })];
  });
}

/** The arguments of a container, its client told by name where the index of its Job tells it. */
export function argumentsOf({ command, env }: StartedContainer): readonly string[] {
  const { JOB_COMPLETION_INDEX: index, FEDBATCH_CLIENTS: clients = '' } = env;
  const words = command.filter((word) => word.startsWith('--'));
  if (index === undefined) return words;
  const client = `${readClientList(clients)?.[Number(index)] ?? ''}`;
  return [...words.map((word) => word.replaceAll(INDEXED_CLIENT, client)), `--client=${client}`];
}

/** What the tests know of a target. */
interface TargetFacts {
  /** What it starts, in order. */
  readonly waves: (objects: readonly unknown[]) => readonly Wave[];
  /** Options that it refuses beside those that others do, and of these such as it honours. */
  readonly refuses?: readonly string[];
  readonly honours?: readonly string[];
  /** Where the schema of each kind of its objects but Jobs is: a file of workflows/fixtures, and its place in it. */
  readonly schemas: Readonly<Record<string, string>>;
  /** What a real API server has to know; absent where its file is no object of Kubernetes. */
  readonly definitions?: readonly (keyof typeof DEFINITIONS)[];
}

/** Of each target; its objects are of a shape of its own, which the reader of its steps knows. */
export const TARGET_FACTS: Readonly<Record<WorkflowName, TargetFacts>> = {
  argo: {
    waves: ([workflow]) => argoWaves(workflow as ArgoWorkflow),
    schemas: { Workflow: 'argo#/$defs/Workflow' },
    definitions: ['argo'],
  },
  kfp: {
    waves: ([pipeline]) => kfpWaves(pipeline as KfpPipeline),
    refuses: ['tolerance.quorum', 'TTL_SECONDS', '--namespace', '--no-isolate'],
    // Two documents that have no kind.
    schemas: {},
  },
  jobset: {
    waves: ([jobSet]) => jobSetWaves(jobSet as JobSet),
    refuses: ['tolerance.quorum'],
    // The recorder lays out what trainers see, where an index chooses it.
    honours: ['PIPELINE_IMAGE'],
    schemas: { JobSet: 'kubeflow#/$defs/JobsetV1alpha2JobSet' },
    definitions: ['jobset'],
  },
  kubeflow: {
    waves: (objects) => kubeflowWaves(objects as readonly KubeflowObject[]),
    honours: ['PIPELINE_IMAGE'],
    schemas: {
      TrainJob: 'kubeflow#/$defs/TrainerV1alpha1TrainJob',
      TrainingRuntime: 'kubeflow#/$defs/TrainerV1alpha1TrainingRuntime',
    },
    definitions: ['jobset', 'trainer'],
  },
};
