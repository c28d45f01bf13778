/** The options of every command that fills templates, and the values that they make. */
import { type Command, Option } from 'commander';
import { integerOption } from '../../lib/cli/options.js';
import { packageVersion } from '../../lib/cli/version.js';
import { UsageError } from '../../lib/core/errors.js';
import { flagOf } from '../../lib/settings/setting.js';
import { SETTINGS } from '../../lib/settings/table.js';
import {
  checkValues,
  isPlaceholder,
  PLACEHOLDER_NAMES,
  type PlaceholderName,
  type Values,
} from './placeholders.js';
import { fileOf, placeholdersOf, TEMPLATE_NAMES, type TemplateName } from './templates.js';

/** What `addTemplateOptions` parses to. */
export interface TemplateFlags {
  readonly set: readonly string[];
  readonly imagePrefix?: string;
  readonly tag?: string;
  readonly gpu?: number;
  readonly storageClass?: string;
  readonly namespace?: string;
  readonly queue?: string;
}

/** Programs with an image of their own, and the placeholders of these images. */
const IMAGES = {
  splitter: 'SPLITTER_IMAGE',
  trainer: 'TRAINER_IMAGE',
  aggregator: 'AGGREGATOR_IMAGE',
  evaluator: 'EVALUATOR_IMAGE',
  server: 'SERVER_IMAGE',
  pipeline: 'PIPELINE_IMAGE',
} as const satisfies Readonly<Record<string, PlaceholderName>>;

/** What stands before an image's name by default. */
const IMAGE_PREFIX = 'fedbatch/';

/** `--no-isolate`. */
export const isolateOption = (): Option =>
  new Option(
    '--no-isolate',
    'mount the whole claim in the pods of trainers and aggregators, where parts of it cannot be mounted (subPath)',
  );

/** Adds the options. */
export function addTemplateOptions(command: Command): Command {
  return command
    .option(
      '--set <NAME=value>',
      'fill a placeholder, e.g. STORAGE=50Gi; may be given again (docs/KUBERNETES.md lists them)',
      (text: string, before: readonly string[]) => [...before, text],
      [] as readonly string[],
    )
    .option('--image-prefix <text>', `before the names of the images (default: ${IMAGE_PREFIX})`)
    .option('--tag <tag>', 'tag of the images (default: the version)')
    .option('--gpu <count>', 'NVIDIA GPUs of each trainer; takes the image trainer-gpu', integerOption())
    .option('--storage-class <name>', 'storage class that offers ReadWriteMany')
    .option('--namespace <name>', 'namespace of all objects (default: where kubectl points)')
    .option('--queue <name>', "Kueue's local queue, for quota and gang admission")
    .addOption(
      new Option('--seeds <count>').hideHelp().argParser((seeds) => {
        throw new UsageError(
          `--seeds ${seeds} repeats a run on this machine (fedbatch run): on a cluster, fedbatch k8s sweep --grid seed=0,1,2 does.`,
        );
      }),
    );
}

/**
 * The values that the flags ask for; `--set` wins over a flag that means the same.
 *
 * @param named values of the command's own flags; those that were not given are undefined
 * @throws {UsageError} when a value is not what its placeholder takes, or its name is none
 */
export function templateValuesOf(
  flags: TemplateFlags,
  named: Readonly<Partial<Record<PlaceholderName, string | undefined>>> = {},
): Values {
  const { gpu, storageClass } = flags;
  const own: Readonly<Partial<Record<PlaceholderName, string | undefined>>> = {
    ...imagesOf(flags),
    GPU: gpu === undefined ? undefined : `${gpu}`,
    STORAGE_CLASS: storageClass,
    ...named,
  };
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  const values: Values = Object.fromEntries([...given, ...flags.set.map(parseSet)]);
  checkValues(values);
  return values;
}

/** The placeholders that flags ask for by name; an image's prefix and tag are for whatever images there are. */
export function askedPlaceholders({
  set,
  gpu,
  storageClass,
  nfsClusterIp,
}: TemplateFlags & { readonly nfsClusterIp?: string }): AskedOptions {
  const flags = [
    ['GPU', '--gpu', gpu],
    ['STORAGE_CLASS', '--storage-class', storageClass],
    ['NFS_CLUSTER_IP', '--nfs-cluster-ip', nfsClusterIp],
  ] as const;
  return new Map<string, string>([
    ...flags.flatMap(([name, flag, value]) => (value === undefined ? [] : [[name, flag] as const])),
    ...set.map(parseSet).map(([name]) => [name, `--set ${name}`] as const),
  ]);
}

/** Images are named only where a flag asks for others than the templates'. */
function imagesOf({ imagePrefix, tag, gpu = 0 }: TemplateFlags): Values {
  const programs = Object.entries(IMAGES).filter(
    ([program]) => imagePrefix !== undefined || tag !== undefined || (gpu > 0 && program === 'trainer'),
  );
  return Object.fromEntries(
    programs.map(([program, placeholder]) => {
      const name = program === 'trainer' && gpu > 0 ? 'trainer-gpu' : program;
      return [placeholder, `${imagePrefix ?? IMAGE_PREFIX}${name}:${tag ?? packageVersion()}`];
    }),
  );
}

function parseSet(text: string): readonly [PlaceholderName, string] {
  const [, name = '', value = ''] = /^([A-Z_]+)=(.*)$/s.exec(text) ?? [];
  if (isPlaceholder(name)) return [name, value];
  throw new UsageError(
    name === ''
      ? `--set: expected NAME=value, found "${text}".`
      : `--set: there is no placeholder ${name}; there are ${PLACEHOLDER_NAMES.join(', ')}.`,
  );
}

/** What is asked for: the place of a setting, a placeholder or another option; and what messages call it. */
export type AskedOptions = ReadonlyMap<string, string>;

/** What is not honoured, by the same names, and how the sentence about it ends: why, or what to give instead. */
export type Refusals = Readonly<Record<string, string>>;

/** @throws {UsageError} for the first option that is not honoured; `by` is who does not */
export function refuseUnhonoured(asked: AskedOptions, refusals: Refusals, by: string): void {
  for (const [option, label] of asked) {
    if (!Object.hasOwn(refusals, option)) continue;
    throw new UsageError(`${label} does not go with ${by}${refusals[option]}.`);
  }
}

/** The placeholders that none of these templates has a place for. */
export function foreignPlaceholders(templates: readonly TemplateName[]): Refusals {
  const files = new Map<string, string[]>();
  for (const name of TEMPLATE_NAMES) {
    for (const placeholder of placeholdersOf(name))
      files.set(placeholder, [...(files.get(placeholder) ?? []), fileOf(name)]);
  }
  for (const own of templates.flatMap((name) => [...placeholdersOf(name)])) files.delete(own);
  return Object.fromEntries([...files].map(([name, where]) => [name, `: it belongs to ${where.join(', ')}`]));
}

/** The placeholders of settings that a command takes as flags: what its stages do is not for templates to say. */
export const placeholdersOfSettings = (): Refusals =>
  Object.fromEntries(
    SETTINGS.filter(({ affects }) => affects !== 'nothing').flatMap((setting) =>
      setting.placeholder === undefined ? [] : [[setting.placeholder, `: ${flagOf(setting)} gives it`]],
    ),
  );
