#!/usr/bin/env node
/** The `fedbatch` program: finds the command, loads that one alone, and runs it. */
import { Command } from 'commander';
import { type CommandBuilder, PROGRAM, runProgram } from './lib/cli/program.js';

/** One command of the overview; its program is loaded only when it is asked for, so that `split` loads no engine. */
interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly example: string;
  load(): Promise<CommandBuilder>;
}

/** In the order in which a job uses them. */
const COMMANDS: readonly Entry[] = [
  {
    name: 'run',
    summary: 'the whole job: split, train every client, aggregate, test and, on request, serve',
    example: 'npx fedbatch run --clients 3 --epochs 2 --serve',
    load: async () => (await import('./pipeline/cli.js')).runCommand,
  },
  {
    name: 'split',
    summary: 'split a dataset into one shard per client',
    example: 'npx fedbatch split --data mnist.npz --clients 3 --out data',
    load: async () => (await import('./splitter/cli.js')).splitCommand,
  },
  {
    name: 'init',
    summary: 'write the seeded initial model that all clients start from',
    example: 'npx fedbatch init --data data/0.npz --out rounds/0001/global.h5',
    load: async () => (await import('./trainer/init-cli.js')).initCommand,
  },
  {
    name: 'train',
    summary: 'train one client on its shard and save its update',
    example: 'npx fedbatch train --data data/0.npz --epochs 2 --batch 100 --out model/0-model.h5',
    load: async () => (await import('./trainer/cli.js')).trainCommand,
  },
  {
    name: 'aggregate',
    summary: 'average client updates, weighted by their examples, into the next global model',
    example: 'npx fedbatch aggregate --dir updates --out aggregated-model.h5',
    load: async () => (await import('./aggregator/cli.js')).aggregateCommand,
  },
  {
    name: 'evaluate',
    summary: 'test the accuracy of a model on held-out examples',
    example: 'npx fedbatch evaluate --model aggregated-model.h5 --data data/test.npz',
    load: async () => (await import('./evaluator/cli.js')).evaluateCommand,
  },
  {
    name: 'serve',
    summary: 'serve a model: a web page to try it, and an API',
    example: 'npx fedbatch serve --model aggregated-model.h5 --port 5000',
    load: async () => (await import('./server/cli.js')).serveCommand,
  },
  {
    name: 'predict',
    summary: 'ask a server about a picture, by the REST or gRPC API of TensorFlow Serving',
    example: 'npx fedbatch predict --image seven.png --port 5000',
    load: async () => (await import('./server/predict-cli.js')).predictCommand,
  },
  {
    name: 'k8s',
    summary: 'the job on a Kubernetes cluster',
    example: 'npx fedbatch k8s render --clients 3 --epochs 2 --batch 100 --out deploy',
    load: async () => (await import('./k8s/cli.js')).k8sCommand,
  },
  {
    name: 'report',
    summary: 'write a page that tells what a run did: result, curves, participation, data',
    example: 'npx fedbatch report --volume runs/digits-3x2-1a2b3c4d',
    load: async () => (await import('./report/cli.js')).reportCommand,
  },
  {
    name: 'record',
    summary: "write a run's records onto its volume, for a pipeline that cannot: that of a cluster",
    example: 'npx fedbatch record --step trained --volume /mnt/runs/a --facts round.json',
    load: async () => (await import('./pipeline/record/cli.js')).recordCommand,
  },
  {
    name: 'doctor',
    summary: 'show which engines work on this machine, how fast they are, and what to install',
    example: 'npx fedbatch doctor',
    load: async () => (await import('./doctor/cli.js')).doctorCommand,
  },
  {
    name: 'dataset',
    summary: 'make the generated digits, or download MNIST',
    example: 'npx fedbatch dataset mnist',
    load: async () => (await import('./datasets/cli.js')).datasetCommand,
  },
];

/** The overview: every command in one line, its example below. */
function overview(): Command {
  const program = new Command(PROGRAM).description(
    'Federated averaging as a batch job: split a dataset, train one model per client, average them by number\n' +
      'of examples, test the average, serve it.',
  );
  for (const { name, summary } of COMMANDS) program.addCommand(new Command(name).summary(summary));
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const examples = COMMANDS.map(({ name, example }) => `  ${name.padEnd(width)}  ${example}`);
  return program
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText(
      'after',
      `\nExamples:\n${examples.join('\n')}\n\n${PROGRAM} <command> --help explains its options.`,
    );
}

/** Where the command stands in `argv`: first, or after options that all commands share (`fedbatch --debug run`). */
function findCommand(argv: readonly string[]): number {
  const names = COMMANDS.map(({ name }) => name);
  const at = argv.findIndex((argument) => names.includes(argument));
  const isCommon = (argument: string, index: number) =>
    argument === '--debug' ||
    argument.startsWith('--log-format') ||
    argument.startsWith('--log_format') ||
    /^--log[-_]format$/.test(argv[index - 1] ?? '');
  return argv.slice(0, Math.max(0, at)).every(isCommon) ? at : -1;
}

/** `fedbatch help split` is `fedbatch split --help`. */
const given = process.argv.slice(2);
const argv = given[0] === 'help' && given[1] !== undefined ? [...given.slice(1), '--help'] : given;
const at = findCommand(argv);
const entry = COMMANDS.find(({ name }) => name === argv[at]);
if (entry === undefined) await runProgram(overview, argv);
else await runProgram(await entry.load(), [...argv.slice(0, at), ...argv.slice(at + 1)]);
