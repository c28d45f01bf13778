/** The accuracy tests of a run on this machine: of each round's global model, and of the clients' own models. */

import { join } from 'node:path';
import { z } from 'zod';
import { abbreviatedHash, DataError } from '../lib/core/errors.js';
import { acrossClients } from '../lib/federation/across-clients.js';
import { targetOf } from '../lib/federation/early-stop.js';
import { scoreOf } from '../lib/federation/metrics.js';
import {
  type AccuracyRecord,
  accuracyRecordSchema,
  testFiguresSchema,
} from '../lib/formats/accuracy-record.js';
import { placeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { ifWhole, readDocument } from '../lib/formats/files/json-document.js';
import { withScratchDirectory } from '../lib/formats/files/scratch-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { type ClientRecord, type RoundRecord, rejectedClients } from '../lib/formats/run-record.js';
import type { RunSettings } from '../lib/settings/table.js';
import { evaluateCommand } from './commands/stage-commands.js';
import type { LocalRun } from './local-run.js';
import type { RoundLedger } from './record/round-ledger.js';
import { type EvaluationFacts, withLoss } from './rounds/outcomes.js';
import type { EvaluateTask, Evaluation, GlobalModel } from './rounds/runner.js';
import { executeOne } from './rounds/target.js';
import { count, describeEvaluation, stopwatch, tell, tellSkipped } from './rounds/telling.js';

/** What the pipeline reads of `accuracy.json`; a loss that is not finite is null there. */
const accuracySchema = testFiguresSchema.extend(accuracyRecordSchema.pick({ seconds: true }).shape);

/** Up to so many clients of a round have their own models tested: a person can still compare them. */
const CLIENTS_COMPARED = 20;

/** Tests the model and writes `accuracy.json`. */
export type TestModel = (model: GlobalModel) => Promise<void>;

interface EvaluateOptions {
  readonly task: EvaluateTask;
  readonly data: Manifest;
  readonly ledger: RoundLedger;
  /** The best score of the rounds before. */
  readonly best: number;
}

/** Tests a round's global model, unless this very model was tested before; keeps the best one. */
export async function evaluateStage(run: LocalRun, options: EvaluateOptions): Promise<Evaluation> {
  const { task, data, ledger } = options;
  const { round, global } = task;
  const { evaluation: earlier } = ledger.record;
  if (earlier?.model === global.sha256 && earlier.test === data.test.sha256) {
    tellSkipped(run, { ...stage, round }, describeEvaluation(earlier, targetOf(run.settings.federation)));
    return { ...withLoss(earlier), isSkipped: true };
  }
  const facts = await testGlobalModel(run, { ...options, test: testByEvaluator(run) });
  await recordEvaluation(run, { ...options, facts });
  return withLoss(facts);
}

/** Puts a test that has just been made on record, and the model in its place if it is the best one. */
export async function recordEvaluation(
  run: Pick<LocalRun, 'paths' | 'metrics'> & { readonly settings: Pick<RunSettings, 'federation'> },
  { task, ledger, best, facts }: Omit<EvaluateOptions, 'data'> & { readonly facts: EvaluationFacts },
): Promise<void> {
  const { round, global } = task;
  // Before it is recorded: what a later run finds recorded needs no second look.
  if (scoreOf(facts, targetOf(run.settings.federation)) > best)
    await placeFileAtomic(global.file, run.paths.bestModel);
  await ledger.set({ evaluation: facts, ...trainedAcross(ledger.record.reported) });
  await run.metrics.append({ event: 'evaluation', round, ...facts });
}

/** How the clients do on what they hold out, before and after their training; nothing where none holds anything out. */
function trainedAcross(reported: readonly ClientRecord[]): Pick<RoundRecord, 'acrossClients'> {
  const tests = reported.flatMap(({ heldOut }) => (heldOut === undefined ? [] : [heldOut]));
  if (tests.length === 0) return {};
  const across = (when: 'before' | 'after') =>
    acrossClients(tests.map(({ examples, [when]: figures }) => ({ examples, ...figures })));
  return { acrossClients: { before: across('before'), after: across('after') } };
}

/** Whether the `accuracy.json` at `path` is the test of that model. */
export async function isTestOf(path: string, { sha256 }: GlobalModel): Promise<boolean> {
  return (await ifWhole(readJson(path, accuracySchema)))?.sha256 === sha256;
}

/** Tests a global model; `accuracy.json` tells of it afterwards. */
export async function testGlobalModel(
  run: Pick<LocalRun, 'paths' | 'reporter'> & Partial<Pick<LocalRun, 'settings'>>,
  { task, data, test }: Pick<EvaluateOptions, 'task' | 'data'> & { readonly test: TestModel },
): Promise<EvaluationFacts> {
  const { paths } = run;
  const { round, global } = task;
  const { seconds, took } = await stopwatch(() => test(global));
  const figures = await readAccuracy(paths.accuracy, global);
  const facts = { model: global.sha256, test: data.test.sha256, ...figures, seconds };
  const target = run.settings && targetOf(run.settings.federation);
  tell(run, { ...stage, round }, `${describeEvaluation(facts, target)}  ${took}`);
  return facts;
}

/** The accuracy test by the run's target. */
export const testByEvaluator =
  (run: LocalRun): TestModel =>
  async ({ file }) => {
    const command = evaluateCommand(run, { models: [file], threads: run.cores });
    await executeOne(run.target, command, { ...run, schema: z.unknown() });
  };

const stage = { stage: 'evaluate' } as const;

/**
 * Tests each client's own model of the round in `ledger`, unless that was done before, it is no good, or there are too
 * many for anybody to compare.
 */
export async function clientAccuracyStage(run: LocalRun, ledger: RoundLedger): Promise<void> {
  const { reported, rejected } = ledger.record;
  if (reported.length > CLIENTS_COMPARED) return;
  const refused = rejectedClients(rejected);
  const untested = reported
    .filter(({ client, alone }) => alone === undefined && !refused.has(client))
    .map(({ client }) => client);
  if (untested.length === 0) return;
  // The reports of clients' own models are no part of the volume; their figures go into the round's record.
  const { took } = await stopwatch(() =>
    withScratchDirectory('evaluate', (directory) => testClients(run, { ledger, untested, directory })),
  );
  tell(run, { stage: 'evaluate' }, `${count(untested.length, 'client model')} alone  ${took}`);
}

/** Deals clients to as many processes as run side by side: starting one takes longer than testing a model. */
function hands(clients: readonly number[], jobs: number): readonly (readonly number[])[] {
  const number = Math.min(jobs, clients.length);
  return Array.from({ length: number }, (_, hand) => clients.filter((_, at) => at % number === hand));
}

interface ClientTests {
  readonly ledger: RoundLedger;
  readonly untested: readonly number[];
  /** Where the evaluator's reports go. */
  readonly directory: string;
}

/** Puts loss and accuracy of each client's own model on record. */
async function testClients(run: LocalRun, { ledger, untested, directory }: ClientTests): Promise<void> {
  const { paths, threads, reporter, signal, target } = run;
  const files = paths.round(ledger.record.round);
  const dealt = hands(untested, run.jobs).map((clients, hand) => ({
    clients,
    command: evaluateCommand(run, {
      models: clients.map((client) => files.update(client)),
      ...{ out: join(directory, `${hand}.json`), threads, ofClients: true },
    }),
  }));
  await target.execute(
    dealt.map(({ command }) => command),
    {
      // One line for all clients tells enough of these short tests.
      ...{ reporter: { ...reporter, progress() {} }, signal, schema: z.unknown() },
      async onEnding(ending) {
        if ('reason' in ending) throw ending.error;
        const { clients = [] } = dealt.find(({ command }) => command === ending.command) ?? {};
        const tests = await readReports(ending.command.writes[0] ?? '', clients.length);
        for (const [at, client] of clients.entries()) {
          const reported = ledger.record.reported.find((each) => each.client === client);
          const test = tests[at];
          if (reported === undefined || test === undefined) continue;
          const { loss, accuracy, task, metrics, leads } = test;
          await ledger.report({ ...reported, alone: { loss, accuracy, task, metrics, leads } });
        }
      },
    },
  );
}

/**
 * What the test of a model found. An evaluator of an earlier attempt may have been halted, and write late: figures of
 * another model never count as this one's.
 *
 * @throws {DataError} when it is missing, something else, or the test of another model
 */
export async function readAccuracy(
  path: string,
  { sha256 }: Pick<GlobalModel, 'sha256'>,
): Promise<Omit<z.infer<typeof accuracySchema>, 'sha256'>> {
  const { sha256: tested, ...figures } = await readJson(path, accuracySchema);
  if (tested === sha256) return figures;
  const expected = `the test of the model that has just been tested (sha256 ${abbreviatedHash(sha256)})`;
  throw new DataError({
    file: path,
    expected,
    found: `that of another one (sha256 ${abbreviatedHash(tested)})`,
  });
}

/** What it tells of each client. @throws {DataError} likewise */
export async function readPerClient(path: string): Promise<AccuracyRecord['perClient']> {
  return (await readJson(path, accuracyRecordSchema.pick({ perClient: true }))).perClient;
}

/** The tests of so many models, in their order. */
async function readReports(path: string, models: number) {
  return models > 1 ? await readJson(path, z.array(accuracySchema)) : [await readJson(path, accuracySchema)];
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return await readDocument({ schema, file: path, expected: 'the result of an accuracy test' });
}
