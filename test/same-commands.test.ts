/** All targets run the same commands: those of processes, of Kubernetes Jobs, of every workflow, of the manifests by hand. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { V1Job } from '@kubernetes/client-node';
import type { Command } from 'commander';
import { aggregateCli as aggregator } from '../aggregator/cli.js';
import { evaluateCli as evaluator } from '../evaluator/cli.js';
import { readStage, type TemplateStage } from '../k8s/manifests/stages.js';
import { type PlannedJob, RECORD_FILE, stageJobs } from '../k8s/run/stage-jobs.js';
import type { ProgramContext } from '../lib/cli/program.js';
import { selectClients } from '../lib/federation/participation.js';
import { requiredUpdates } from '../lib/federation/quorum.js';
import { makeDirectory } from '../lib/formats/files/atomic-file.js';
import { volumePaths } from '../lib/formats/volume.js';
import { silentReporter } from '../lib/observability/events.js';
import { valuesWithDefaults } from '../lib/settings/complete.js';
import { flagOf } from '../lib/settings/setting.js';
import { SETTINGS } from '../lib/settings/table.js';
import { commandTarget } from '../pipeline/command-target.js';
import {
  aggregateCommand,
  evaluateCommand,
  initCommand,
  joinedArguments,
  type StageCommand,
  simulateCommand,
  splitCommand,
  trainCommand,
} from '../pipeline/commands/stage-commands.js';
import { splitStage } from '../pipeline/opening-stages.js';
import { openMetrics } from '../pipeline/record/metrics.js';
import { federatedAveraging } from '../pipeline/rounds/round-loop.js';
import { createVolumeRunner } from '../pipeline/volume-runner.js';
import { splitCli as splitter } from '../splitter/cli.js';
import { trainCli as trainer } from '../trainer/cli.js';
import { renderWorkflow, WORKFLOW_NAMES, type WorkflowName } from '../workflows/render-workflow.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { settingsFromFlags } from './settings.js';
import { projectRoot } from './sources.js';
import { temporaryDirectory } from './temporary-directory.js';
import { argumentsOf, jobWave, type StartedContainer, TARGET_FACTS } from './workflow-steps.js';

/** The programs of a run as commands of `npx fedbatch`. */
const HOSTED: Readonly<Record<string, string>> = {
  'splitter/cli.js': 'split',
  'trainer/init-cli.js': 'init',
  'trainer/cli.js': 'train',
  'aggregator/cli.js': 'aggregate',
  'evaluator/cli.js': 'evaluate',
};

type Run = ReturnType<typeof settingsFromFlags>;

/** Program and arguments of each command, in waves of those that run side by side. */
type Commands = readonly (readonly string[])[];

const THREADS = 2;

/** The words that differ for a reason: how it is told whose updates count, and where the last model lies. */
function normal(
  program: string,
  words: readonly string[],
  { directory, rounds }: { directory: string; rounds: number },
): string {
  const last = `${directory}/rounds/${`${rounds + 1}`.padStart(4, '0')}/global.h5`;
  const told = words
    .map((word) => word.replace(`=${directory}/aggregated-model.h5`, `=${last}`))
    .map((word) =>
      /^--(data|init|model-config|task)=\/mnt\/mine/.test(word)
        ? word
        : `${word}/`.replace(`=${directory}/`, '=<volume>/').slice(0, -1),
    )
    .map((word) =>
      word.replace(/^--(reported|clients)=.*$/, (all, flag) =>
        flag === 'clients' && program.startsWith('splitter') ? all : '<the clients of the round>',
      ),
    );
  return [program, ...told].join(' ');
}

/** What processes of this machine run. */
function localCommands({ settings, quorum }: Run): Commands {
  const directory = '/home/me/runs/a';
  const source = { settings, threads: THREADS, paths: volumePaths(directory) };
  const { federation, seed } = settings;
  const waves: StageCommand[][] = [[splitCommand(source)], [initCommand(source)]];
  for (let round = 1; round <= federation.rounds; round++) {
    const clients = selectClients(federation, { seed, round });
    const minUpdates = quorum === undefined ? clients.length : requiredUpdates(quorum, clients.length);
    const { globalModel } = source.paths.round(round + 1);
    waves.push(
      clients.map((client) => trainCommand(source, { round, clients }, client)),
      [
        aggregateCommand(
          source,
          { round, clients },
          { minUpdates, record: source.paths.round(round).record },
        ),
      ],
      [evaluateCommand(source, { models: [globalModel] })],
    );
  }
  const facts = { directory, rounds: federation.rounds };
  return waves.map((wave) =>
    wave.map((command) => normal(command.program, joinedArguments(command.arguments), facts)),
  );
}

const dockerfile = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8');

/** The program that a container starts: the one it is told, else the entry point of its image. */
function programOf({ image, command }: StartedContainer): string {
  if (command[0] === 'node') return command[1]?.replace('/app/dist/', '') ?? '';
  const name = /^fedbatch\/([a-z]+):/.exec(image)?.[1];
  assert.ok(dockerfile.includes(`ENTRYPOINT ["node", "/app/dist/${name}/cli.js"]`), image);
  return `${name}/cli.js`;
}

/** What the containers of a cluster run; the recorder's are its target's own. */
const containerCommands = (
  waves: readonly (readonly StartedContainer[])[],
  facts: Parameters<typeof normal>[2],
): Commands =>
  waves.map((wave) =>
    wave
      .filter((container) => programOf(container) !== 'pipeline/record/cli.js')
      .map((container) => normal(programOf(container), argumentsOf(container), facts)),
  );

/** What the Jobs of `fedbatch k8s run` run. */
function jobCommands({ settings, quorum }: Run): Commands {
  const directory = '/mnt/runs/a';
  const { federation, seed } = settings;
  const plan = { run: 'a', id: 'a', settings, values: {}, namespace: 'fl', threads: THREADS, isolates: true };
  const jobs = stageJobs({ ...plan, directory });
  const source = { settings, threads: THREADS, paths: volumePaths(directory) };
  const waves: StartedContainer[][] = [
    startOf(jobs.start({}, { fresh: false }).job),
    [...startedBy(jobs.of([initCommand(source)]))],
  ];
  for (let round = 1; round <= federation.rounds; round++) {
    const clients = selectClients(federation, { seed, round });
    const minUpdates = quorum === undefined ? clients.length : requiredUpdates(quorum, clients.length);
    const model = source.paths.round(round + 1).globalModel;
    const commands = clients.map((client) => trainCommand(source, { round, clients }, client));
    const files = { minUpdates, record: RECORD_FILE };
    waves.push(
      [...startedBy(jobs.of(commands, { quorum: minUpdates }))],
      [...startedBy(jobs.of([aggregateCommand(source, { round, clients }, files)], { facts: {} }))],
      [...startedBy(jobs.of([evaluateCommand(source, { models: [model], round })], { facts: {} }))],
    );
  }
  return containerCommands(waves, { directory, rounds: federation.rounds });
}

/** The splitter itself: what judges the data before it has its arguments, and one more. */
function startOf(job: V1Job): StartedContainer[] {
  const [check, , splitter] = containersOf(job);
  assert.ok(check !== undefined && splitter !== undefined);
  assert.deepEqual(check.command, [...splitter.command, '--check']);
  return [splitter];
}

const startedBy = ({ job }: PlannedJob): readonly StartedContainer[] => {
  const { spec } = job;
  assert.ok(spec !== undefined);
  return spec.completionMode === 'Indexed'
    ? jobWave(spec as Parameters<typeof jobWave>[0])
    : containersOf(job);
};

const containersOf = ({ spec }: V1Job): readonly StartedContainer[] => {
  const { initContainers = [], containers = [] } = spec?.template.spec ?? {};
  return [...initContainers, ...containers].flatMap((container) =>
    jobWave({
      template: {
        spec: {
          containers: [container as Parameters<typeof jobWave>[0]['template']['spec']['containers'][number]],
        },
      },
    }),
  );
};

/** What a workflow runs. */
function workflowCommands(target: WorkflowName, run: Run): Commands {
  const files = renderWorkflow(target, { ...run, values: {}, threads: THREADS, isolates: true });
  const waves = TARGET_FACTS[target].waves(files.flatMap(({ objects }) => objects));
  return containerCommands(waves, { directory: '/mnt', rounds: run.settings.federation.rounds });
}

/** The accuracy test of this machine is told how many threads; a pod's has those of its container. */
const withoutTestThreads = (commands: Commands): Commands =>
  commands.map((wave) => wave.map((command) => command.replace(/^(evaluator.*) --threads=\d+/, '$1')));

const RUNS: Readonly<Record<string, readonly string[]>> = {
  'plain FedAvg': ['--clients', '3', '--rounds', '2'],
  'FedAdam, whose state goes from round to round': [
    ...['--clients', '4', '--fraction', '0.5', '--rounds', '3', '--strategy', 'fedadam', '--seed', '7'],
  ],
  'Dirichlet shards, a quorum, a schedule': [
    ...['--clients', '10', '--rounds', '3', '--partition', 'dirichlet', '--alpha', '0.3'],
    ...['--optimizer', 'sgd', '--learning-rate', '0.1', '--learning-rate-decay', '0.5'],
    ...['--local-steps', '5', '--batch', 'all', '--proximal', '0.01', '--scale', '-1..1'],
  ],
  'strategies with a client side, which goes on from what clients keep': [
    ...['--clients', '4', '--fraction', '0.5', '--rounds', '3', '--strategy', 'scaffold'],
    ...['--optimizer', 'sgd', '--momentum', '0'],
  ],
  'clipping and differential privacy': [
    ...['--clients', '6', '--fraction', '0.5', '--rounds', '2', '--model', 'mlp'],
    ...['--dp-clip', '1', '--dp-noise', '1.1', '--dp-noise-source', 'system'],
  ],
  'a clipping norm that follows the updates from round to round': [
    ...['--clients', '6', '--fraction', '0.5', '--rounds', '3', '--model', 'mlp'],
    ...['--dp-clip', '1', '--dp-noise', '1.1', '--dp-clip-quantile', '0.5', '--dp-clip-count-noise', '2'],
  ],
  'a model that is given, with the optimizer that it was compiled with': [
    ...['--clients', '3', '--rounds', '2', '--init', '/mnt/mine.h5'],
  ],
  'an architecture that is given': ['--clients', '2', '--rounds', '1', '--model-config', '/mnt/mine.json'],
  'a task': ['--clients', '2', '--rounds', '1', '--task', '/mnt/mine.ts', '--learning-rate', '0.1'],
  'an mlp of other layers': ['--clients', '2', '--rounds', '1', '--model', 'mlp', '--hidden', '64,32'],
  'a model that is given, and an optimizer for it': [
    ...['--clients', '3', '--rounds', '2', '--init', '/mnt/mine.h5', '--optimizer', 'sgd'],
    ...['--learning-rate', '0.1', '--learning-rate-decay', '0.5'],
  ],
  'clients that hold examples out, and are tested on them': [
    ...['--clients', '4', '--fraction', '0.5', '--rounds', '2', '--client-holdout', '0.1'],
  ],
  'a robust strategy on an engine of choice': [
    ...[
      '--clients',
      '5',
      '--rounds',
      '2',
      '--strategy',
      'trimmed-mean',
      '--trim',
      '0.2',
      '--clip-norm',
      'auto',
    ],
    ...['--engine', 'onnx', '--backend', 'cpu', '--data', '/mnt/mine.npz'],
  ],
};

/** The others give the whole job up when a client fails for good. */
const KEEPS_QUORUM = WORKFLOW_NAMES.filter(
  (target) => TARGET_FACTS[target].refuses?.includes('tolerance.quorum') !== true,
);

describe('all targets run the same commands', () => {
  for (const [name, flags] of Object.entries(RUNS)) {
    it(name, () => {
      const run = settingsFromFlags(flags);
      const local = withoutTestThreads(localCommands(run));
      assert.deepEqual(jobCommands(run), local, 'fedbatch k8s run');
      for (const target of WORKFLOW_NAMES) assert.deepEqual(workflowCommands(target, run), local, target);
      const partial = settingsFromFlags([...flags, '--quorum', '1']);
      const locally = withoutTestThreads(localCommands(partial));
      assert.notDeepEqual(locally, local);
      assert.deepEqual(jobCommands(partial), locally, 'fedbatch k8s run with a quorum');
      for (const target of KEEPS_QUORUM) assert.deepEqual(workflowCommands(target, partial), locally, target);
    });
  }

  it('and a run on this machine asks its target for them', async (t) => {
    const flags = ['--clients', '4', '--fraction', '0.5', '--rounds', '2', '--strategy', 'fedadam'];
    const directory = await temporaryDirectory(t);
    const { settings } = settingsFromFlags([...flags, '--model', 'mlp', '--epochs', '1']);
    const data = await writeTinyDataset(directory);
    const dataset = { ...settings.dataset, name: data };
    const run = { settings: { ...settings, dataset }, quorum: undefined, asked: new Map() };
    const asked: StageCommand[] = [];
    const target = commandTarget({ cores: 1, jobs: 1, threads: THREADS }, async (command) => {
      asked.push(command);
      const name = HOSTED[command.program] ?? '';
      const { exitCode, stdout, stderr } = await runCommand(name, command.arguments);
      assert.equal(exitCode, 0, stderr);
      return stdout.split('\n');
    });
    const volume = join(directory, 'run');
    await makeDirectory(volume);
    const paths = volumePaths(volume);
    await writeFile(paths.run, '{}');
    const local = {
      ...{
        paths,
        settings: run.settings,
        jobs: 1,
        threads: THREADS,
        cores: 1,
        toldEngines: new Set<string>(),
      },
      ...{ target, tolerance: { retries: 0 }, metrics: await openMetrics(paths) },
      ...{ reporter: silentReporter, signal: new AbortController().signal },
    };
    const manifest = await splitStage(local);
    const { federation, seed } = run.settings;
    await federatedAveraging({ ...federation, seed }, createVolumeRunner(local, manifest));
    const facts = { directory: volume, rounds: federation.rounds };
    const told = asked.map((command) => joinedArguments(command.arguments));
    // Only while a run goes on is it known which bytes a round starts from.
    const isHash = (word: string) => /^--(init|parent)-sha256=/.test(word);
    const ofRounds = asked.filter(({ stage }) => stage === 'train' || stage === 'aggregate');
    assert.equal(told.flat().filter(isHash).length, ofRounds.length);
    const words = asked.map(({ program }, at) =>
      normal(program, told[at]?.filter((word) => !isHash(word)) ?? [], facts),
    );
    assert.deepEqual(withoutTestThreads([words]).flat(), withoutTestThreads(localCommands(run)).flat());
  });

  it('a simulation trains, aggregates and tests by the same settings', () => {
    for (const flags of Object.values(RUNS)) {
      const { settings } = settingsFromFlags(flags);
      const source = { settings, threads: 1, jobs: 2, paths: volumePaths('/mnt') };
      const round = { round: 1, clients: [0, 1] };
      const others = [
        ...trainCommand(source, round, 0).arguments,
        ...aggregateCommand(source, round, { minUpdates: 2 }).arguments,
      ];
      const flagsOf = (words: readonly string[]) =>
        joinedArguments(words).map((word) => word.split('=', 1)[0]);
      const own = joinedArguments(simulateCommand(source).arguments);
      // Its data are a directory; how many workers there are is its own affair.
      const shared = own.filter((word) => !/^--(data|jobs)=/.test(word));
      assert.deepEqual(
        shared.filter((word) => !joinedArguments(others).includes(word)),
        [],
      );
      // What of a training's settings a simulation is not told by an argument, a round's request tells.
      const left = flagsOf(others).filter((flag) => !flagsOf(own).includes(flag));
      const REQUEST = [
        '--init',
        '--out',
        // What clients hold out stands in the list of their examples.
        '--client-test',
        '--model',
        '--hidden',
        '--round',
        '--client',
        '--dir',
        '--clients',
        '--manifest',
      ];
      const SERVER = ['--parent', '--min-updates', '--state-out', '--dp-participants', '--dp-population'];
      assert.deepEqual(
        left.filter((flag) => ![...REQUEST, ...SERVER].includes(flag ?? '')),
        [],
        'arguments of train and aggregate that a simulation is not told: give them to simulateCommand, to the requests ' +
          "of its rounds, or name them here where the simulator's aggregation has no use for them",
      );
    }
  });

  it('and a difference is found', () => {
    const [plain, other] = [
      ['--clients', '3'],
      ['--clients', '3', '--batch', '50'],
    ].map(settingsFromFlags);
    assert.ok(plain !== undefined && other !== undefined);
    assert.notDeepEqual(workflowCommands('argo', other), withoutTestThreads(localCommands(plain)));
    assert.notDeepEqual(jobCommands(other), withoutTestThreads(localCommands(plain)));
  });
});

/** The programs by the stages of the manifests. */
const PROGRAMS: Readonly<Record<TemplateStage, (context: ProgramContext) => Command>> = {
  split: splitter,
  train: trainer,
  aggregate: aggregator,
  evaluate: evaluator,
};

/** What a program understands of arguments, its defaults included. */
function understood(stage: TemplateStage, words: readonly string[]): Readonly<Record<string, unknown>> {
  const context = { reporter: undefined, signal: new AbortController().signal } as unknown as ProgramContext;
  const command = PROGRAMS[stage](context);
  const { operands, unknown } = command.parseOptions([...words]);
  assert.deepEqual([operands, unknown], [[], []], stage);
  const taken = SETTINGS.filter((each) => each.stages.includes(stage)).map((setting) => {
    const option = command.options.find(({ long }) => long === flagOf(setting, stage));
    return { place: setting.place, name: option?.attributeName() ?? '' };
  });
  const value = valuesWithDefaults(
    SETTINGS,
    Object.fromEntries(taken.map(({ place, name }) => [place, command.getOptionValue(name)])),
  );
  return { ...command.opts(), ...Object.fromEntries(taken.map(({ place, name }) => [name, value(place)])) };
}

type Understood = ReturnType<typeof understood>;

/** Names the manifest and the options that differ. */
function requireSame(manifest: string, byHand: Understood, ofARun: Understood): void {
  const names = new Set([...Object.keys(byHand), ...Object.keys(ofARun)]);
  const differing = [...names].filter((name) => !isDeepStrictEqual(byHand[name], ofARun[name]));
  const told = differing.map((name) => `${name}: ${byHand[name]} by hand, ${ofARun[name]} in a run`);
  assert.deepEqual(told, [], `k8s/${manifest} does something else than the command of its stage`);
}

describe('the manifests by hand', () => {
  const { settings } = settingsFromFlags(['--clients', '3', '--epochs', '2', '--batch', '100']);
  const paths = volumePaths('/mnt');
  const source = { settings, paths, threads: 1 };
  const round = { round: 1, clients: [0, 1, 2] };
  const byHand = (stage: TemplateStage) =>
    understood(stage, readStage(stage, { WORKER_NUMBER: '3', EPOCH: '2', BATCH: '100' }).args);
  const ofARun = (command: StageCommand) => understood(command.stage as TemplateStage, command.arguments);

  it('split, train, aggregate and test as a run of one round does', () => {
    requireSame(
      '4-splitter.yaml',
      { ...byHand('split'), scale: undefined },
      { ...ofARun(splitCommand(source)), scale: undefined },
    );
    // Without the initial model in a file each trainer makes the same one, by the seed; its container has the threads.
    const { init, threads: _run, ...trained } = ofARun(trainCommand(source, round));
    const { threads: _hand, ...trains } = byHand('train');
    assert.equal(init, paths.round(1).globalModel);
    requireSame('5-trainer.yaml', trains, trained);
    // Nobody has recorded the round: all clients of the split have to be there, and agree on what they started from.
    const files = { minUpdates: 3, out: paths.aggregatedModel };
    const {
      parent,
      round: _round,
      clients,
      minUpdates,
      ...aggregated
    } = ofARun(aggregateCommand(source, round, files));
    assert.deepEqual([parent, clients, minUpdates], [paths.round(1).globalModel, [0, 1, 2], 3]);
    requireSame('6-aggregator.yaml', byHand('aggregate'), aggregated);
    const test = { models: [paths.aggregatedModel], minAccuracy: '0' };
    requireSame('9999-accuracy-test.yaml', byHand('evaluate'), ofARun(evaluateCommand(source, test)));
  });
});
