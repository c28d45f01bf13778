/** `fedbatch k8s render`: prints the manifests with every placeholder filled in, or the whole job as a workflow. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { ProgramContext } from '../lib/cli/program.js';
import { UsageError } from '../lib/core/errors.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { type AskedSettings, type GivenSettings, valuesWithDefaults } from '../lib/settings/complete.js';
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
import { CLUSTER_SETTINGS, clusterSettings, trainerThreads, watchedValues } from './cluster-settings.js';
import type { PlaceholderName, Values } from './manifests/placeholders.js';
import { render, templateNamed } from './manifests/render.js';
import { addTemplateOptions, type TemplateFlags, templateValuesOf } from './manifests/template-options.js';
import { TEMPLATE_NAMES, toJson, toYaml } from './manifests/templates.js';

interface RenderFlags extends TemplateFlags {
  readonly target?: WorkflowName;
  readonly nfsClusterIp?: string;
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
    .option('--out <dir>', 'write one file for each template, and a kustomization.yaml, instead of printing')
    .option('--json', 'as JSON instead of YAML')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], flags: RenderFlags) => {
      const { namespace, queue, out: output, json = false } = flags;
      const asked = await askedByFlagsAndFile(command, RENDER_SETTINGS);
      const target = flags.target ?? engineAsTarget(asked);
      if (target === undefined) {
        refuseOtherSettings(asked);
        const values = templateValuesOf(flags, {
          ...placeholderValues(asked.given),
          NFS_CLUSTER_IP: flags.nfsClusterIp,
        });
        const rendered = render({ templates: names.map(templateNamed), values, namespace, queue });
        return await deliver(rendered, { reporter, output, json, kustomization: true });
      }
      if (names.length > 0)
        throw new UsageError('--target makes the whole job: it takes no names of templates.');
      if (flags.target === undefined) reporter.warn(`--engine ${target} is now --target ${target}.`);
      refuseTolerance(target, asked);
      const values = { ...watchedValues(asked.given), ...templateValuesOf(flags) };
      const { 'engine.name': engine, ...others } = { ...asked.given, ...givenByPlaceholders(values) };
      const given = engineAsTarget(asked) === undefined ? { ...others, 'engine.name': engine } : others;
      const { quorum } = toleranceAsked(asked);
      const settings = clusterSettings({ ...asked, given });
      const files = renderWorkflow(target, {
        ...{ settings, values, namespace, queue, quorum, threads: trainerThreads(values) },
        named: asked.named,
      });
      await deliver(files, { reporter, output, json });
    });
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

/** @throws {UsageError} when a tolerance is given that a workflow has rules of its own for */
function refuseTolerance(target: WorkflowName, { given, named }: AskedSettings): void {
  if (given['tolerance.retries'] !== undefined) {
    throw new UsageError(
      `${named('tolerance.retries')} does not go with --target ${target}, which has rules of its own for retrying pods.`,
    );
  }
  if (given['tolerance.roundDeadline'] !== undefined) {
    throw new UsageError(
      `${named('tolerance.roundDeadline')} does not go with --target ${target}: --set DEADLINE_SECONDS=<seconds> ends a training there.`,
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
