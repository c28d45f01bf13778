/** The accuracy tests of a run on this machine: of each round's global model, and of the clients' own models. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../lib/core/errors.js';
import { accuracyRecordSchema } from '../lib/formats/accuracy-record.js';
import { placeFileAtomic } from '../lib/formats/files/atomic-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import type { RoundRecord } from '../lib/formats/run-record.js';
import { evaluateCommand } from './commands/stage-commands.js';
import { sharingCores } from './cores.js';
import { count, type LocalRun, stopwatch, tell, tellSkipped } from './local-run.js';
import type { RoundLedger } from './round-ledger.js';
import type { EvaluateTask, Evaluation, GlobalModel } from './runner.js';
import { runStage } from './stage-process.js';

/** What the pipeline reads of `accuracy.json`; a loss that is not finite is null there. */
const accuracySchema = accuracyRecordSchema.pick({
  sha256: true,
  examples: true,
  loss: true,
  accuracy: true,
  seconds: true,
});

/** Up to so many clients of a round have their own models tested: a person can still compare them. */
const CLIENTS_COMPARED = 20;

/** Tests `model` and writes the report to `file`. */
export type TestModel = (files: { readonly model: string; readonly file: string }) => Promise<void>;

interface EvaluateOptions {
  readonly task: EvaluateTask;
  readonly data: Manifest;
  readonly ledger: RoundLedger;
  /** The best accuracy of the rounds before. */
  readonly best: number;
  /** Runs the accuracy test. */
  readonly test: TestModel;
}

/** Tests a round's global model, unless this very model was tested before; keeps the best one. */
export async function evaluateStage(run: LocalRun, options: EvaluateOptions): Promise<Evaluation> {
  const { task, data, ledger } = options;
  const { round, global } = task;
  const { evaluation: earlier } = ledger.record;
  if (earlier?.model === global.sha256 && earlier.test === data.test.sha256) {
    tellSkipped(run, { ...stage, round }, describe(earlier));
    return { ...withLoss(earlier), isSkipped: true };
  }
  const facts = await testGlobalModel(run, options);
  await recordEvaluation(run, { ...options, facts });
  return withLoss(facts);
}

/** Puts a test that has just been made on record, and the model in its place if it is the best one. */
export async function recordEvaluation(
  run: Pick<LocalRun, 'paths' | 'metrics'>,
  { task, ledger, best, facts }: Omit<EvaluateOptions, 'data' | 'test'> & { readonly facts: EvaluationFacts },
): Promise<void> {
  const { round, global } = task;
  // Before it is recorded: what a later run finds recorded needs no second look.
  if (facts.accuracy > best) await placeFileAtomic(global.file, run.paths.bestModel);
  await ledger.set({ evaluation: facts });
  await run.metrics.append({ event: 'evaluation', round, ...facts });
}

/** What round.json says of an accuracy test. */
export type EvaluationFacts = NonNullable<RoundRecord['evaluation']>;

/** JSON has no NaN. */
export function withLoss({ examples, loss, accuracy }: EvaluationFacts): Evaluation {
  return { examples, accuracy, loss: loss ?? Number.NaN };
}

/** Whether the `accuracy.json` at `path` is the test of that model. */
export async function isTestOf(path: string, { sha256 }: GlobalModel): Promise<boolean> {
  return (await readAccuracy(path).catch(() => undefined))?.sha256 === sha256;
}

/** Tests a global model; `accuracy.json` tells of it afterwards. */
export async function testGlobalModel(
  run: Pick<LocalRun, 'paths' | 'reporter'>,
  { task, data, test }: Pick<EvaluateOptions, 'task' | 'data' | 'test'>,
): Promise<EvaluationFacts> {
  const { paths } = run;
  const { round, global } = task;
  const { seconds, took } = await stopwatch(() => test({ model: global.file, file: paths.accuracy }));
  const { examples, loss, accuracy } = await readAccuracy(paths.accuracy);
  const facts = { model: global.sha256, test: data.test.sha256, examples, loss, accuracy, seconds };
  tell(run, { ...stage, round }, `${describe(facts)}  ${took}`);
  return facts;
}

/** The accuracy test by the evaluator. */
export const testByEvaluator =
  (run: LocalRun): TestModel =>
  async ({ model, file }) => {
    const files = { models: [model], out: file, threads: run.cores };
    await runStage(evaluateCommand(run, files), run);
  };

const stage = { stage: 'evaluate' } as const;

/**
 * Tests each client's own model of the round in `ledger`, unless that was done before, it is no good, or there are too
 * many for anybody to compare.
 */
export async function clientAccuracyStage(run: LocalRun, ledger: RoundLedger): Promise<void> {
  const { reported, rejected } = ledger.record;
  if (reported.length > CLIENTS_COMPARED) return;
  const isRejected = (client: number) => rejected.some((each) => 'client' in each && each.client === client);
  const untested = reported
    .filter(({ client, alone }) => alone === undefined && !isRejected(client))
    .map(({ client }) => client);
  if (untested.length === 0) return;
  const { took } = await stopwatch(() =>
    sharingCores(run, hands(untested, run.jobs), async (clients, signal) => {
      const tests = await evaluateClients({ ...run, signal }, { clients, round: ledger.record.round });
      for (const [at, client] of clients.entries()) {
        const reported = ledger.record.reported.find((each) => each.client === client);
        const alone = tests[at];
        if (reported !== undefined && alone !== undefined) await ledger.report({ ...reported, alone });
      }
    }),
  );
  tell(run, { stage: 'evaluate' }, `${count(untested.length, 'client model')} alone  ${took}`);
}

/** Deals clients to as many processes as run side by side: starting one takes longer than testing a model. */
function hands(clients: readonly number[], jobs: number): readonly (readonly number[])[] {
  const number = Math.min(jobs, clients.length);
  return Array.from({ length: number }, (_, hand) => clients.filter((_, at) => at % number === hand));
}

interface Hand {
  readonly round: number;
  readonly clients: readonly number[];
}

/** Loss and accuracy of each client's own model. */
async function evaluateClients(
  run: LocalRun,
  { round, clients }: Hand,
): Promise<readonly { readonly loss: number | null; readonly accuracy: number }[]> {
  const { paths, reporter, signal, threads } = run;
  const files = paths.round(round);
  // The reports of clients' own models are no part of the volume; their figures go into the round's record.
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  try {
    const savefile = join(directory, 'accuracy.json');
    const models = clients.map((client) => files.update(client));
    await runStage(
      evaluateCommand(run, { models, out: savefile, threads }),
      // One line for all clients tells enough of these short tests.
      { reporter: { ...reporter, progress() {} }, signal },
    );
    const reports = clients.length > 1 ? await readReports(savefile) : [await readAccuracy(savefile)];
    return reports.map(({ loss, accuracy }) => ({ loss, accuracy }));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** @throws {DataError} when it is missing or something else */
export async function readAccuracy(path: string): Promise<z.infer<typeof accuracySchema>> {
  return await readJson(path, accuracySchema);
}

/** The tests of several models, in their order. */
const readReports = (path: string) => readJson(path, z.array(accuracySchema));

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new DataError(
      { file: path, expected: 'the result of an accuracy test', found: 'something else' },
      { cause },
    );
  }
}

function describe({ accuracy, loss }: { readonly accuracy: number; readonly loss: number | null }): string {
  return `accuracy ${accuracy.toFixed(4)}, loss ${loss === null ? 'not finite' : loss.toFixed(4)}`;
}
