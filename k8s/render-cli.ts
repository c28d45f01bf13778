/** `fedbatch k8s render`: prints the manifests with every placeholder filled in, or the whole job as a workflow. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { ProgramContext } from '../lib/cli/program.js';
import { namedScale } from '../lib/cli/scale-option.js';
import { UsageError } from '../lib/core/errors.js';
import { formatScale } from '../lib/federation/pixel-scale.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { addSettingsOptions, type SettingsFlags } from '../pipeline/settings-options.js';
import {
  isWorkflow,
  renderWorkflow,
  WORKFLOW_NAMES,
  type WorkflowFile,
  type WorkflowName,
} from '../workflows/render-workflow.js';
import { clusterSettings, DATASET_HELP, trainerThreads } from './cluster-settings.js';
import { toJson, toYaml } from './manifests/manifest-text.js';
import type { PlaceholderName, Values } from './manifests/placeholders.js';
import { render, templateNamed } from './manifests/render.js';
import { addTemplateOptions, type TemplateFlags, templateValuesOf } from './manifests/template-options.js';
import { TEMPLATE_NAMES } from './manifests/templates.js';

interface RenderFlags extends TemplateFlags, Omit<SettingsFlags, 'engine'> {
  readonly engine: SettingsFlags['engine'] | WorkflowName;
  readonly target?: WorkflowName;
  readonly nfsClusterIp?: string;
  readonly out?: string;
  readonly json?: true;
}

/** Settings that the templates have a placeholder for. */
const PLACEHOLDERS_OF = {
  clients: 'WORKER_NUMBER',
  epochs: 'EPOCH',
  batch: 'BATCH',
  data: 'DATASET',
  scale: 'SCALE',
  model: 'MODEL',
  seed: 'SEED',
} as const satisfies Readonly<Partial<Record<keyof SettingsFlags, PlaceholderName>>>;

/** Options that are no settings. */
const OTHERS: readonly string[] = [
  ...['target', 'set', 'imagePrefix', 'tag', 'gpu', 'storageClass', 'namespace', 'queue'],
  ...['nfsClusterIp', 'out', 'json'],
];

const EXAMPLES = `
Examples:
  npx fedbatch k8s render --clients 3 --epochs 2 --batch 100
  npx fedbatch k8s render trainer --clients 3 --epochs 2 --batch 100 --gpu 1 | kubectl apply -f -
  npx fedbatch k8s render pvc --storage-class efs --set STORAGE=50Gi | kubectl apply -f -
  npx fedbatch k8s render --clients 3 --epochs 2 --batch 100 --out deploy --tag 1.2.0 --image-prefix ghcr.io/me/

  npx fedbatch k8s render --target argo --clients 10 --rounds 5 --strategy fedadam | argo submit -

Templates: ${TEMPLATE_NAMES.join(', ')}.
Without any, those of a whole job: the claim (with --nfs-cluster-ip the NFS server), network policies, splitter,
trainer, aggregator, accuracy test, server. The stages of a job follow each other: apply one when the one before is done.
--target makes the whole job a workflow, with the settings of a run; the templates themselves are those of one round of
FedAvg, and take --clients, --epochs, --batch, --data, --scale, --model and --seed of them.`;

/** The command. */
export function renderCommand({ reporter }: ProgramContext): Command {
  const command = new Command('render')
    .summary('print the manifests, filled in')
    .description('Print the manifests of k8s/ with every placeholder filled in.')
    .argument('[templates...]', 'the templates; without any, those of a whole job')
    .addOption(
      new Option('--target <name>', 'the whole job as a workflow that others run (docs/TARGETS.md)').choices(
        WORKFLOW_NAMES,
      ),
    )
    .option('--nfs-cluster-ip <ip>', 'NFS_CLUSTER_IP: address of the service fedbatch-nfs');
  addTemplateOptions(addSettingsOptions(command, DATASET_HELP));
  allowTargetAsEngine(command);
  return command
    .option('--out <dir>', 'write one file for each template, and a kustomization.yaml, instead of printing')
    .option('--json', 'as JSON instead of YAML')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], flags: RenderFlags, self: Command) => {
      const { namespace, queue, out: output, json = false } = flags;
      const target = targetOf(flags);
      if (target === undefined) {
        refuseOtherSettings(self);
        const values = templateValuesOf(flags, {
          ...placeholderValues(flags, self),
          NFS_CLUSTER_IP: flags.nfsClusterIp,
        });
        const rendered = render({ templates: names.map(templateNamed), values, namespace, queue });
        return await deliver(rendered, { reporter, output, json, kustomization: true });
      }
      if (names.length > 0)
        throw new UsageError('--target makes the whole job: it takes no names of templates.');
      if (target === flags.engine) reporter.warn(`--engine ${target} is now --target ${target}.`);
      const values = templateValuesOf(flags);
      takeFromPlaceholders(self, values);
      refuseTolerance(target, self);
      const given = self.opts<RenderFlags>();
      const engine = isWorkflow(given.engine) ? 'auto' : given.engine;
      const files = renderWorkflow(target, {
        ...{ values, namespace, queue, quorum: given.quorum, threads: trainerThreads(values) },
        settings: clusterSettings({ ...given, engine }),
      });
      await deliver(files, { reporter, output, json });
    });
}

/** `--engine argo` was the way to say `--target argo`, and is still understood. */
function allowTargetAsEngine(command: Command): void {
  const engine = command.options.find(({ long }) => long === '--engine');
  engine?.choices([...(engine.argChoices ?? []), ...WORKFLOW_NAMES]);
}

function targetOf({ target, engine }: RenderFlags): WorkflowName | undefined {
  return target ?? (isWorkflow(engine) ? engine : undefined);
}

const isGiven = (command: Command, name: string) => command.getOptionValueSource(name) === 'cli';

/** The values of placeholders that are given as settings. */
function placeholderValues(
  flags: RenderFlags,
  command: Command,
): Readonly<Partial<Record<PlaceholderName, string>>> {
  const scale = namedScale(flags.scale).scale;
  const texts = { ...flags, scale: scale === undefined ? 'auto' : formatScale(scale) };
  const given = Object.entries(PLACEHOLDERS_OF).filter(([name]) => isGiven(command, name));
  return Object.fromEntries(
    given.map(([name, placeholder]) => [placeholder, `${texts[name as keyof typeof PLACEHOLDERS_OF]}`]),
  );
}

/** The other way round: what `--set` gives of a setting is the setting. */
function takeFromPlaceholders(command: Command, values: Values): void {
  for (const [name, placeholder] of Object.entries(PLACEHOLDERS_OF)) {
    const value = values[placeholder];
    if (value === undefined) continue;
    const option = command.options.find((each) => each.attributeName() === name);
    command.setOptionValueWithSource(
      name,
      option?.parseArg ? option.parseArg(value, undefined) : value,
      'cli',
    );
  }
}

/** @throws {UsageError} when a setting is given that no template has a place for */
function refuseOtherSettings(command: Command): void {
  const known = [...OTHERS, ...Object.keys(PLACEHOLDERS_OF)];
  const other = command.options.find((option) => {
    const name = option.attributeName();
    return isGiven(command, name) && !known.includes(name);
  });
  if (other === undefined) return;
  throw new UsageError(
    `${other.long} goes with --target only: the manifests of k8s/ are those of one round.`,
  );
}

/** @throws {UsageError} when a tolerance is given that a workflow has rules of its own for */
function refuseTolerance(target: WorkflowName, command: Command): void {
  if (isGiven(command, 'retries')) {
    throw new UsageError(
      `--retries does not go with --target ${target}, whose own rules say how often a pod is tried again.`,
    );
  }
  if (isGiven(command, 'roundDeadline')) {
    throw new UsageError(
      `--round-deadline does not go with --target ${target}: --set DEADLINE_SECONDS=<seconds> ends a training there.`,
    );
  }
}

interface Delivery {
  readonly reporter: ProgramContext['reporter'];
  readonly output: string | undefined;
  readonly json: boolean;
  readonly kustomization?: boolean;
}

/** Prints the objects, or writes them to a directory. */
async function deliver(
  files: readonly WorkflowFile[],
  { reporter, output, json, kustomization = false }: Delivery,
): Promise<void> {
  if (output === undefined) {
    const objects = files.flatMap((each) => each.objects);
    process.stdout.write(json ? toJson(objects) : toYaml(objects));
    return;
  }
  if (json) throw new UsageError('--json does not go with --out, which writes YAML.');
  await writeAll(files, output);
  if (kustomization) await writeKustomization(files, output);
  const what = `${files.length} manifest${files.length === 1 ? '' : 's'}`;
  reporter.info(`Wrote ${what}${kustomization ? ' and kustomization.yaml' : ''} to ${output}.`);
}

async function writeAll(files: readonly WorkflowFile[], directory: string): Promise<void> {
  for (const { file, objects } of files) await writeFileAtomic(join(directory, file), toYaml(objects));
}

/** It goes last, so that it names only files that are there. */
async function writeKustomization(files: readonly WorkflowFile[], directory: string): Promise<void> {
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: files.map(({ file }) => file),
  };
  await writeFileAtomic(join(directory, 'kustomization.yaml'), toYaml([kustomization]));
}
