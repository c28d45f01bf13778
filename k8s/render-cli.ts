/** `fedbatch k8s render`: prints the manifests with every placeholder filled in, or the whole job as a workflow. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { ProgramContext } from '../lib/cli/program.js';
import { UsageError } from '../lib/core/errors.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import {
  type AskedSettings,
  askedSettings,
  type GivenSettings,
  valuesWithDefaults,
} from '../lib/settings/complete.js';
import { askedByFlagsAndFile } from '../lib/settings/config-file.js';
import { addSettings, parseOption } from '../lib/settings/options.js';
import { WATCHING } from '../lib/settings/parts/watching.js';
import { toleranceAsked } from '../lib/settings/run-settings.js';
import type { Setting } from '../lib/settings/setting.js';
import { SETTINGS } from '../lib/settings/table.js';
import {
  isWorkflow,
  renderWorkflow,
  WORKFLOW_NAMES,
  type WorkflowFile,
  type WorkflowName,
} from '../workflows/render-workflow.js';
import type { WorkflowOptions } from '../workflows/workflow-job.js';
import { CLUSTER_SETTINGS, clusterSettings, trainerThreads } from './cluster-settings.js';
import type { PlaceholderName, Values } from './manifests/placeholders.js';
import { render, templateNamed, templatesOfAJob } from './manifests/render.js';
import {
  addTemplateOptions,
  askedPlaceholders,
  foreignPlaceholders,
  isolateOption,
  refuseUnhonoured,
  type TemplateFlags,
  templateValuesOf,
} from './manifests/template-options.js';
import { TEMPLATE_NAMES, toJson, toYaml } from './manifests/templates.js';

/** What its options parse to. */
export interface RenderFlags extends TemplateFlags {
  readonly target?: WorkflowName;
  readonly nfsClusterIp?: string;
  readonly isolate: boolean;
  readonly out?: string;
  readonly json?: true;
}

/** Where no records are written, nobody can be told of them. */
const RENDER_SETTINGS = {
  ...CLUSTER_SETTINGS,
  parts: CLUSTER_SETTINGS.parts.filter((part) => part !== WATCHING),
};

/** Settings that the templates have a placeholder for. */
const OF_TEMPLATES = SETTINGS.filter((each): each is OfTemplate => each.placeholder !== undefined);
type OfTemplate = Setting & { readonly placeholder: PlaceholderName };

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
export function renderCli({ reporter }: ProgramContext): Command {
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
  addTemplateOptions(addSettings(command, RENDER_SETTINGS).optionsGroup('Manifests:'));
  allowTargetAsEngine(command);
  return command
    .addOption(isolateOption())
    .option('--out <dir>', 'write one file for each template, and a kustomization.yaml, instead of printing')
    .option('--json', 'as JSON instead of YAML')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], flags: RenderFlags) => {
      const rendered = await filesAsked(command, names, reporter);
      await deliver(rendered, { reporter, output: flags.out, json: flags.json ?? false });
    });
}

/** The files that are asked for. @throws {UsageError} for what does not go together, or is not honoured */
async function filesAsked(
  command: Command,
  names: readonly string[],
  reporter: Pick<ProgramContext['reporter'], 'warn'>,
): Promise<RenderedFiles> {
  const flags = command.opts<RenderFlags>();
  const { namespace, queue } = flags;
  const asked = await askedByFlagsAndFile(command, RENDER_SETTINGS);
  const target = flags.target ?? engineAsTarget(asked);
  if (target === undefined) {
    refuseOtherSettings(asked);
    if (!flags.isolate)
      throw new UsageError(
        '--no-isolate goes with --target only: the manifests of k8s/ mount the whole claim.',
      );
    const values = templateValuesOf(flags, {
      ...placeholderValues(asked.given),
      NFS_CLUSTER_IP: flags.nfsClusterIp,
    });
    const templates = names.length > 0 ? names.map(templateNamed) : templatesOfAJob(values);
    // Templates by name may be a part of a job, whose options a script gives to each of its parts.
    if (names.length === 0)
      refuseUnhonoured(askedPlaceholders(flags), foreignPlaceholders(templates), 'the manifests of a job');
    return { files: render({ templates, values, namespace, queue }), areTemplates: true };
  }
  if (names.length > 0) throw new UsageError('--target makes the whole job: it takes no names of templates.');
  if (flags.target === undefined) reporter.warn(`--engine ${target} is now --target ${target}.`);
  return { files: renderWorkflow(target, workflowOptions(flags, asked)), areTemplates: false };
}

/** What a target is asked for. @throws {UsageError} for what does not go together */
export function workflowOptions(flags: RenderFlags, asked: AskedSettings): WorkflowOptions {
  const { namespace, queue } = flags;
  const values = templateValuesOf(flags);
  const { 'engine.name': engine, ...others } = { ...asked.given, ...givenByPlaceholders(values) };
  const given = engineAsTarget(asked) === undefined ? { ...others, 'engine.name': engine } : others;
  const { quorum } = toleranceAsked(asked);
  return {
    ...{ values, namespace, queue, quorum, threads: trainerThreads(values), isolates: flags.isolate },
    settings: clusterSettings({ ...asked, given }),
    asked: new Map([
      ...askedSettings(asked),
      ...askedPlaceholders(flags),
      ...OWN_OPTIONS.filter((name) => flags[name] !== undefined).map((name) => [name, `--${name}`] as const),
      ...(flags.isolate ? [] : [['isolate', '--no-isolate'] as const]),
    ]),
  };
}

/** Options of the command itself that a target may have no use for. */
const OWN_OPTIONS = ['namespace', 'queue', 'json'] as const;

/** What is printed or written; the files of templates come with a kustomization. */
interface RenderedFiles {
  readonly files: readonly WorkflowFile[];
  readonly areTemplates: boolean;
}

/** `--engine argo` was the way to say `--target argo`, and is still understood. */
function allowTargetAsEngine(command: Command): void {
  const engine = command.options.find(({ long }) => long === '--engine');
  engine?.choices([...(engine.argChoices ?? []), ...WORKFLOW_NAMES]);
}

function engineAsTarget({ given }: AskedSettings): WorkflowName | undefined {
  const engine = `${given['engine.name']}`;
  return isWorkflow(engine) ? engine : undefined;
}

/** The values of placeholders that are given as settings. */
function placeholderValues(given: GivenSettings): Readonly<Partial<Record<PlaceholderName, string>>> {
  return Object.fromEntries(
    OF_TEMPLATES.flatMap(({ place, placeholder }) =>
      given[place] === undefined ? [] : [[placeholder, `${given[place]}`]],
    ),
  );
}

/** The other way round: what `--set` gives of a setting is the setting. */
function givenByPlaceholders(values: Values): GivenSettings {
  return Object.fromEntries(
    OF_TEMPLATES.flatMap(({ place, type, placeholder }) => {
      const value = values[placeholder];
      return value === undefined ? [] : [[place, parseOption(type, value)]];
    }),
  );
}

/** @throws {UsageError} when a setting is given that no template has a place for */
function refuseOtherSettings({ given, named }: AskedSettings): void {
  const byDefault = valuesWithDefaults(SETTINGS, {});
  const other = SETTINGS.map(({ place }) => place).find((place) => {
    const isMeant = given[place] !== undefined && given[place] !== byDefault(place);
    return isMeant && place !== 'dataset.sha256' && !OF_TEMPLATES.some((each) => each.place === place);
  });
  if (other === undefined) return;
  throw new UsageError(
    `${named(other)} goes with --target only: the manifests of k8s/ are those of one round.`,
  );
}

interface Delivery {
  readonly reporter: ProgramContext['reporter'];
  readonly output: string | undefined;
  readonly json: boolean;
}

/** Prints the objects, or writes them to a directory. */
async function deliver(
  { files, areTemplates }: RenderedFiles,
  { reporter, output, json }: Delivery,
): Promise<void> {
  if (output === undefined) {
    const objects = files.flatMap((each) => each.objects);
    process.stdout.write(json ? toJson(objects) : toYaml(objects));
    return;
  }
  if (json) throw new UsageError('--json does not go with --out, which writes YAML.');
  await writeAll(files, output);
  if (areTemplates) await writeKustomization(files, output);
  const what = `${files.length} manifest${files.length === 1 ? '' : 's'}`;
  reporter.info(`Wrote ${what}${areTemplates ? ' and kustomization.yaml' : ''} to ${output}.`);
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
