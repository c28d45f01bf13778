/** The accuracy tests of a run on this machine: of each round's global model, and of the clients' own models. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../lib/federation/errors.js';
import { placeFileAtomic } from '../lib/formats/atomic-file.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { engineArguments } from './engine-arguments.js';
import { count, type LocalRun, stopwatch, tell, tellSkipped } from './local-run.js';
import { holds, type RoundLedger } from './round-ledger.js';
import type { EvaluateTask, Evaluation } from './runner.js';
import { sharingCores } from './shared-cores.js';
import { runStage } from './stage-process.js';

/** What the pipeline reads of `accuracy.json`; a loss that is not finite is null there. */
const accuracySchema = z.object({
  sha256: z.string(),
  examples: z.int(),
  loss: z.number().nullable(),
  accuracy: z.number(),
});

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
  const { paths } = run;
  const { task, best } = options;
  const evaluation = (await finishedEvaluation(run, options)) ?? (await evaluate(run, options));
  const isBest = evaluation.accuracy > best;
  if (isBest && !(await holds(paths.bestModel, task.global.sha256))) {
    await placeFileAtomic(task.global.file, paths.bestModel);
  }
  return evaluation;
}

async function finishedEvaluation(
  run: LocalRun,
  { task, data, ledger }: EvaluateOptions,
): Promise<Evaluation | undefined> {
  const { evaluation: earlier } = ledger.record;
  if (earlier?.model !== task.global.sha256 || earlier.test !== data.test.sha256) return undefined;
  // accuracy.json tells of the newest model alone.
  const isLast = task.round === run.settings.federation.rounds;
  if (isLast && (await readAccuracy(run.paths.accuracy).catch(() => undefined))?.sha256 !== earlier.model) {
    return undefined;
  }
  tellSkipped(run, stage, `round ${task.round}: ${describe(earlier)}`);
  return { ...earlier, loss: earlier.loss ?? Number.NaN };
}

/** The accuracy test by the evaluator. */
export const testByEvaluator =
  (run: LocalRun): TestModel =>
  async ({ model, file }) => {
    const options = [
      ...['--modelpath', model],
      ...['--data', run.paths.test],
      ...['--savefile', file],
      ...['--threads', `${run.cores}`],
      ...engineArguments(run.settings.engine),
    ];
    await runStage({ ...stage, program: 'evaluator/cli.js', arguments: options }, run);
  };

const stage = { stage: 'evaluate' } as const;

async function evaluate(run: LocalRun, { task, data, ledger, test }: EvaluateOptions): Promise<Evaluation> {
  const { paths } = run;
  const { round, global } = task;
  const { seconds, took } = await stopwatch(() => test({ model: global.file, file: paths.accuracy }));
  const { examples, loss, accuracy } = await readAccuracy(paths.accuracy);
  const facts = { model: global.sha256, test: data.test.sha256, examples, loss, accuracy, seconds };
  await ledger.set({ evaluation: facts });
  await run.metrics.append({ event: 'evaluation', round, ...facts });
  tell(run, stage, `round ${round}: ${describe(facts)}  ${took}`);
  return { examples, accuracy, loss: loss ?? Number.NaN };
}

/** Tests each client's own model of the round in `ledger`, unless that was done before. */
export async function clientAccuracyStage(run: LocalRun, ledger: RoundLedger): Promise<void> {
  const { reported } = ledger.record;
  const missing = reported.filter(({ alone }) => alone === undefined).map(({ client }) => client);
  if (missing.length === 0) return;
  const { took } = await stopwatch(() =>
    sharingCores(run, missing, async ({ client, signal }) => {
      const alone = await evaluateClient({ ...run, signal }, { client, round: ledger.record.round });
      const reported = ledger.record.reported.find((each) => each.client === client);
      if (reported !== undefined) await ledger.report({ ...reported, alone });
    }),
  );
  tell(run, { stage: 'evaluate' }, `${count(missing.length, 'client model')} alone  ${took}`);
}

interface ClientTurn {
  readonly round: number;
  readonly client: number;
}

async function evaluateClient(
  run: LocalRun,
  { round, client }: ClientTurn,
): Promise<{ loss: number | null; accuracy: number }> {
  const { paths, reporter, signal, threads } = run;
  // The report of a client's own model is no part of the volume; its figures go into the round's record.
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  try {
    const savefile = join(directory, 'accuracy.json');
    await runStage(
      {
        stage: 'evaluate',
        client,
        program: 'evaluator/cli.js',
        arguments: [
          ...['--modelpath', paths.round(round).update(client)],
          ...['--data', paths.test],
          ...['--savefile', savefile],
          ...['--threads', `${threads}`],
          ...engineArguments(run.settings.engine),
        ],
      },
      // One line for all clients tells enough of these short tests.
      { reporter: { ...reporter, progress() {} }, signal },
    );
    const { loss, accuracy } = await readAccuracy(savefile);
    return { loss, accuracy };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readAccuracy(path: string): Promise<z.infer<typeof accuracySchema>> {
  try {
    return accuracySchema.parse(JSON.parse(await readFile(path, 'utf8')));
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
