/** The runner of a simulation: clients are data of one long-lived program, and a round is the smallest finished work. */
import { strategyArguments } from '../../lib/cli/strategy-options.js';
import { StageError } from '../../lib/federation/errors.js';
import { formatPrivacy } from '../../lib/federation/privacy/privacy-record.js';
import { FEDAVG } from '../../lib/federation/strategies/strategy-settings.js';
import { placeFileAtomic, sha256 } from '../../lib/formats/atomic-file.js';
import type { Manifest } from '../../lib/formats/manifest.js';
import type { ClientRecord } from '../../lib/formats/run-record.js';
import {
  evaluateReplySchema,
  saveReplySchema,
  trainReplySchema,
} from '../../lib/formats/simulation-messages.js';
import { stateFiles } from '../aggregate-stage.js';
import { engineArguments } from '../engine-arguments.js';
import { evaluateStage } from '../evaluate-stage.js';
import { initStage } from '../init-stage.js';
import { count, type LocalRun, stopwatch, tell, tellSkipped } from '../local-run.js';
import type { LocalRunner } from '../local-runner.js';
import { holds, openLedger, type RoundLedger } from '../round-ledger.js';
import type { AggregateTask, GlobalModel, TrainTask } from '../runner.js';
import { roundLearningRate, trainingArguments } from '../training-task.js';
import { type SimulatorProcess, startSimulator } from './simulator-process.js';

/** A runner whose clients are simulated. */
export function createSimulationRunner(run: LocalRun, data: Manifest): LocalRunner {
  let ledger: RoundLedger | undefined;
  let simulator: SimulatorProcess | undefined;
  let best = -1;
  const current = (): RoundLedger => {
    if (ledger === undefined) throw new Error('train comes first in a round');
    return ledger;
  };
  /** Started when there is something to do: a finished run needs none. */
  const started = (): SimulatorProcess => {
    simulator ??= startSimulator(simulatorArguments(run), {
      ...run,
      onEngine: (note) => tellEngine(run, note),
    });
    return simulator;
  };
  return {
    init: () => initStage(run),
    async train(task) {
      const { round, global, clients } = task;
      ledger = await openLedger(run.paths.round(round), { round, parent: global.sha256, selected: clients });
      if (await finishedRound(run, { task, data, ledger })) {
        tellSkipped(run, { stage: 'train' }, `round ${round}: ${count(clients.length, 'client')}`);
        return ledger.record.reported;
      }
      return await simulateRound(run, { task, ledger, simulator: started() });
    },
    aggregate: (task) => saveGlobalModel(run, { task, data, ledger: current(), started }),
    async evaluate(task) {
      const evaluation = await evaluateStage(run, {
        task,
        data,
        ledger: current(),
        best,
        async test(files) {
          await started().ask({ request: 'evaluate', ...files }, evaluateReplySchema);
        },
      });
      best = Math.max(best, evaluation.accuracy);
      return evaluation;
    },
    // The clients' own models are not kept.
    evaluateClients: async () => current().record,
    close: async () => simulator?.close(),
  };
}

function simulatorArguments({ paths, settings, jobs, threads }: LocalRun): readonly string[] {
  const { seed, engine, training, strategy } = settings;
  return [
    ...['--data', paths.data],
    ...trainingArguments(settings, training.learningRate),
    ...strategyArguments(strategy ?? FEDAVG),
    ...['--seed', `${seed}`],
    ...['--jobs', `${jobs}`],
    ...['--threads', `${threads}`],
    ...engineArguments(engine),
  ];
}

interface Round {
  readonly task: TrainTask;
  readonly ledger: RoundLedger;
}

/** Whether the global model that a round ends with lies there, made from what it would be made from again. */
async function finishedRound(
  run: LocalRun,
  { task, data, ledger }: Round & { readonly data: Manifest },
): Promise<boolean> {
  const { aggregate } = ledger.record;
  if (aggregate === undefined || aggregate.inputs !== hashOfInputs(task.global, data)) return false;
  const state = stateFiles(run, task.round);
  if (state !== undefined && !(await holds(state.out, aggregate.state))) return false;
  return await holds(fileAfter(run, task.round), aggregate.sha256);
}

/** All updates of a simulated round follow from the model that it starts from, the data, and the run's settings. */
function hashOfInputs(global: GlobalModel, { virtual }: Manifest): string {
  return sha256(JSON.stringify([global.sha256, virtual?.train.sha256, virtual?.partition.sha256]));
}

/** The next round's start; after the last round the result itself. */
function fileAfter({ paths, settings }: LocalRun, round: number): string {
  return round === settings.federation.rounds ? paths.aggregatedModel : paths.round(round + 1).globalModel;
}

/** @throws {StageError} naming a client whose training failed */
async function simulateRound(
  run: LocalRun,
  { task, ledger, simulator }: Round & { readonly simulator: SimulatorProcess },
): Promise<readonly ClientRecord[]> {
  const { round, global, clients } = task;
  const learningRate = roundLearningRate(run.settings, task);
  const request = {
    request: 'train' as const,
    round,
    global: global.file,
    clients: [...clients],
    learningRate,
    stateIn: stateFiles(run, round)?.in,
  };
  const { result, seconds, took } = await stopwatch(() => simulator.ask(request, trainReplySchema));
  const { engine, stepSeconds, reported, rejected, missing } = result;
  const { jobs } = run;
  run.reporter.close();
  const outcome = { reported, rejected, missing, simulated: { engine, jobs } };
  await ledger.set({ learningRate, ...outcome, aggregate: undefined });
  const counts = { selected: clients.length, reported: reported.length, missing: missing.length };
  await run.metrics.append({ event: 'train', round, learningRate, ...counts, seconds, stepSeconds });
  const [failed] = missing;
  if (failed !== undefined) throw new StageError(`train client ${failed.client}`, failed.reason);
  const perSecond = (reported.length / seconds).toPrecision(3);
  tell(
    run,
    { stage: 'train' },
    `round ${round}: ${count(reported.length, 'client')}, ${perSecond} a second  ${took}`,
  );
  return reported;
}

interface SaveOptions {
  readonly task: AggregateTask;
  readonly data: Manifest;
  readonly ledger: RoundLedger;
  readonly started: () => SimulatorProcess;
}

/** Writes the global model that the round's training came to, unless it lies there. */
async function saveGlobalModel(
  run: LocalRun,
  { task, data, ledger, started }: SaveOptions,
): Promise<GlobalModel> {
  const { round, global, updates } = task;
  const stage = { stage: 'aggregate' } as const;
  const file = fileAfter(run, round);
  const { aggregate: earlier, rejected } = ledger.record;
  if (earlier !== undefined) {
    tellSkipped(
      run,
      stage,
      `round ${round}: ${count(earlier.updates, 'update')}, ${earlier.examples} examples`,
    );
    return { file, sha256: earlier.sha256 };
  }
  for (const { reason, ...who } of rejected) {
    run.reporter.warn(`aggregate: Rejected the update of client ${Object.values(who)[0]}: ${reason}.`);
  }
  const minUpdates = updates.length;
  const { took, result: made } = await stopwatch(() =>
    started().ask(
      { request: 'save', file, minUpdates, stateOut: stateFiles(run, round)?.out },
      saveReplySchema,
    ),
  ).catch(async (error: unknown) => {
    if (error instanceof StageError) {
      const failure = { ...stage, reason: error.message };
      await ledger.set({ aggregate: undefined, failure });
      await run.metrics.append({ event: 'failure', round, ...failure, rejected });
    }
    throw error;
  });
  const facts = { inputs: hashOfInputs(global, data), ...made };
  if (file !== run.paths.aggregatedModel) await placeFileAtomic(file, run.paths.aggregatedModel);
  await ledger.set({ aggregate: facts, failure: undefined });
  await run.metrics.append({ event: 'aggregate', round, ...facts, rejected });
  const what = `round ${round}: ${count(made.updates, 'update')}, ${made.examples} examples`;
  tell(run, stage, `${what}${made.privacy ? `, ${formatPrivacy(made.privacy)}` : ''}  ${took}`);
  return { file, sha256: made.sha256 };
}

/** Says what the workers run on. */
function tellEngine(run: LocalRun, { engine, why }: { readonly engine: string; readonly why: string }): void {
  tell(run, { stage: 'train' }, `${count(run.jobs, 'worker')} on ${engine} (${why})`);
}
