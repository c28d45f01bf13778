/** docs/REFERENCE.md: every command with its options, made of the programs' own commander commands. */
import { Command, type Help, type Option } from 'commander';
import { COMMANDS } from '../commands.js';
import { addCommonOptions, type ProgramContext } from '../lib/cli/program.js';
import { ExitCode, exitCodeMeanings } from '../lib/core/errors.js';
import { code, table } from '../lib/html/html.js';
import type { NamedSchema } from './schemas.js';

/** The page as Markdown. */
export async function referencePage(schemas: readonly NamedSchema[]): Promise<string> {
  const commands: Command[] = [];
  for (const { load } of COMMANDS) commands.push(addCommonOptions((await load())({} as ProgramContext)));
  const all = commands.flatMap(withSubcommands);
  return `${[
    '# Reference',
    'Every command with its options, exit codes, environment variables and the form of every record. ' +
      'Made by `npm run docs` out of the programs themselves; `npx fedbatch <command> --help` shows the same in a terminal.',
    'Options may be written with `-` or `_`: `--learning_rate` is `--learning-rate`.',
    '## Commands',
    table(['command', 'what it does'], all.map(overviewRow)),
    '## Options of every command',
    optionList(commonOptions()),
    ...all.flatMap(commandSection),
    '## Exit codes',
    table(
      ['code', 'meaning'],
      Object.values(ExitCode).map((code) => [`${code}`, exitCodeMeanings[code]]),
    ),
    'On Kubernetes, a pod that ended with 2 or 3 is not retried.',
    '## Environment variables',
    table(['variable', 'what it does'], environmentRows(all)),
    '## Records and results',
    'JSON Schemas (draft 2020-12) of the records on a volume, and of the lines that programs print for other programs.',
    table(
      ['schema', 'what it describes'],
      schemas.map(({ name, title, description }) => [
        `[${name}](schemas/${name}.schema.json)`,
        `${title}: ${description}`,
      ]),
    ),
  ].join('\n\n')}\n`;
}

/** The command, and its subcommands in their order. */
function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** `npx fedbatch k8s run` → `fedbatch k8s run`. */
function titleOf(command: Command): string {
  const parent = command.parent === null ? '' : `${titleOf(command.parent)} `;
  return `${parent}${command.name().replace(/^npx /, '')}`;
}

function overviewRow(command: Command): readonly string[] {
  const title = titleOf(command);
  const summary = COMMANDS.find(({ name }) => `fedbatch ${name}` === title)?.summary;
  return [`[\`${title}\`](#${title.replaceAll(' ', '-')})`, summary ?? lowerFirst(command.summary())];
}

function commandSection(command: Command): readonly string[] {
  const help = command.createHelp();
  const shared = new Set(commonOptions().map(({ flags }) => flags));
  const options = help.visibleOptions(command).filter(({ flags }) => !shared.has(flags));
  return [
    `## ${titleOf(command)}`,
    command.description(),
    `\`\`\`\n${help.commandUsage(command)}\n\`\`\``,
    ...argumentList(command, help),
    ...groupsOf(options).flatMap(([heading, own]) => [
      ...(heading === '' ? [] : [`### ${heading.replace(/:$/, '')}`]),
      optionList(own),
    ]),
    ...afterHelp(command),
  ];
}

function argumentList(command: Command, help: Help): readonly string[] {
  const listed = help
    .visibleArguments(command)
    .map((argument) => `- **\`${help.argumentTerm(argument)}\`** ${help.argumentDescription(argument)}`);
  return listed.length === 0 ? [] : [listed.join('\n')];
}

/** Options under their headings, in the order in which headings first appear; those without one come first. */
function groupsOf(options: readonly Option[]): readonly (readonly [string, readonly Option[]])[] {
  const groups = new Map<string, Option[]>([['', []]]);
  for (const option of options) {
    const heading = option.helpGroupHeading ?? '';
    groups.set(heading, [...(groups.get(heading) ?? []), option]);
  }
  return [...groups].filter(([, own]) => own.length > 0);
}

function optionList(options: readonly Option[]): string {
  return options
    .map((option) => {
      // A default that is no value of the option stands at the end of its description.
      const [, description = option.description, byDefault] =
        DESCRIBED_DEFAULT.exec(option.description) ?? [];
      const facts = factsOf(option, byDefault);
      const told = facts.length === 0 ? '' : `  \n  ${facts.join(' · ')}`;
      // What each word of a choice means stands in lines of its own.
      const [sentence = '', ...meanings] = escapeMarkdown(description).split('\n');
      const explained = meanings.map((line) => `\n  - ${line.replace(/^([\w-]+):/, '`$1`:')}`);
      return `- **\`${option.flags}\`** ${sentence}${told}${explained.join('')}`;
    })
    .join('\n');
}

/** `rounds at most (default: 1)` */
const DESCRIBED_DEFAULT = /^(.*?) \(default: (.*)\)$/s;

function factsOf(option: Option, described: string | undefined): readonly string[] {
  const { mandatory, argChoices, defaultValue, defaultValueDescription, envVar } = option;
  const byDefault =
    defaultValueDescription ?? (defaultValue === undefined ? described : code(`${defaultValue}`));
  return [
    ...(mandatory ? ['required'] : []),
    ...(argChoices === undefined ? [] : [`one of ${argChoices.map((each) => `\`${each}\``).join(', ')}`]),
    ...(byDefault === undefined ? [] : [`default: ${escapeMarkdown(byDefault)}`]),
    ...(envVar === undefined ? [] : [`environment: \`${envVar}\``]),
  ];
}

/** What help shows below the options: examples, notes. */
function afterHelp(command: Command): readonly string[] {
  let shown = '';
  command.configureOutput({ writeOut: (text) => (shown += text) });
  command.outputHelp();
  const after = shown.slice(command.helpInformation().length).trim();
  return after === '' ? [] : [`\`\`\`\n${after}\n\`\`\``];
}

function commonOptions(): readonly Option[] {
  const bare = addCommonOptions(new Command('bare'));
  return bare.createHelp().visibleOptions(bare);
}

function environmentRows(commands: readonly Command[]): readonly (readonly string[])[] {
  const rows = new Map(Object.entries(ENVIRONMENT).map(([name, meaning]) => [name, meaning]));
  for (const command of commands) {
    for (const { envVar, long } of command.options) {
      if (envVar === undefined || rows.has(envVar)) continue;
      const takers = commands.filter(({ options }) => options.some((each) => each.envVar === envVar));
      const where =
        takers.length === commands.length ? 'every command' : takers.map(titleOf).map(code).join(', ');
      rows.set(envVar, `${code(`${long}`)} of ${where}`);
    }
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, meaning]) => [code(name), meaning]);
}

/** `<` and `*` would mean something in Markdown. */
const escapeMarkdown = (text: string) => text.replaceAll(/[<*|]/g, '\\$&');

const lowerFirst = (text: string) => text.slice(0, 1).toLowerCase() + text.slice(1);

/** By name. Those of options are found in the commands. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  FEDBATCH_CACHE_DIR:
    'directory of cached datasets (default: `fedbatch` below `XDG_CACHE_HOME`, or `~/.cache/fedbatch`)',
  FEDBATCH_RANK: 'in a command of `each`: number of the client, from 0',
  FEDBATCH_RESULT: 'in a command of `each`: file that it may write its result into, as JSON',
  FEDBATCH_RESULT_FILE:
    'file that a program writes its result into, or the sentence that says why there is none; in pods `/dev/termination-log`',
  FEDBATCH_RUN:
    'id of the run: in the command of `--on-event`, and in pods that tell a Pushgateway their metrics',
  FEDBATCH_SCRATCH: "in a command of `each`: the client's own directory, which is removed afterwards",
  FEDBATCH_SHARD: "in a command of `each`: path of the client's shard (npz)",
  FEDBATCH_SIZE: 'in a command of `each`: clients in all',
  FEDBATCH_SOFTWARE_GPU:
    '`1` lets `tensorflow/webgpu` run on a software driver, which is slow and good for checks only',
  FEDBATCH_TENSORFLOW:
    'directory whose `node_modules` holds the packages of TensorFlow.js, where they are not installed beside fedbatch',
  FEDBATCH_VOLUME: "in the command of `--on-event`: directory of the run's files",
  HTTPS_PROXY:
    'proxy to the API server of a cluster, with `HTTP_PROXY` and `NO_PROXY` as kubectl reads them; for downloads only from Node 24 on, with `NODE_USE_ENV_PROXY=1`',
  KUBECONFIG: 'configuration files of clusters, as kubectl reads them (default: `~/.kube/config`)',
  MLFLOW_EXPERIMENT_NAME: 'experiment of an MLflow server, where `--mlflow-experiment` names none',
  MLFLOW_TRACKING_TOKEN:
    'token for an MLflow server; `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD` win over it',
  MLFLOW_TRACKING_URI:
    'address of an MLflow server that runs are logged to, where `--mlflow` says nothing else',
  NO_COLOR: 'no colours in what `fedbatch doctor` prints',
};
