/** The accuracy test as a call: models → what it found, in a file where one is asked for. The program and the library make it. */

import { dirname, join } from 'node:path';
import type { AccuracyReport } from '../lib/engine/accuracy.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import type { Reporter } from '../lib/observability/events.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { ENGINE, engineAsked } from '../lib/settings/parts/engine.js';
import { lossAsked, TRAINING } from '../lib/settings/parts/training.js';

/** The settings that a test takes. */
export const EVALUATE_PARTS = [ENGINE, TRAINING] as const;

/** What to test. */
export interface EvaluateAsked {
  readonly asked: AskedSettings;
  readonly models: readonly [string, ...string[]];
  /** By default `data/test.npz` beside the first model. */
  readonly data?: string | undefined;
  /** The file of a task, which prepares the examples. */
  readonly task?: string | undefined;
  /** Where the report goes. */
  readonly out?: string | undefined;
  /** Whether the clients of the split beside `data` are tested too, each on what it holds out. */
  readonly perClient?: boolean | undefined;
  /** Examples per prediction. */
  readonly batch?: number | undefined;
  readonly threads: number;
}

/** Tests each model; of several, the report is a list. @throws {DataError} as `evaluate` does */
export async function callEvaluator(
  request: EvaluateAsked,
  context: { readonly reporter: Reporter; readonly signal: AbortSignal },
): Promise<readonly [AccuracyReport, ...AccuracyReport[]]> {
  const { asked, models, out, batch: batchSize, threads, task: taskFile, perClient } = request;
  const { data = join(dirname(models[0]), 'data', 'test.npz') } = request;
  const engine = engineAsked(asked);
  // Loaded once the arguments are right: help and refusals are quick.
  const { evaluateModel } = await import('./evaluate.js');
  const task =
    taskFile === undefined
      ? undefined
      : await (await import('../lib/task-file/read-task.js')).readTask(taskFile);
  const { training } = completeSettings([TRAINING], asked);
  const loss = lossAsked(training) ?? task?.loss;
  const test = (model: string) =>
    evaluateModel({ model, data, batchSize, engine, threads, loss, task, perClient }, context);
  const [first, ...others] = models;
  const reports: [AccuracyReport, ...AccuracyReport[]] = [await test(first)];
  for (const model of others) reports.push(await test(model));
  if (out !== undefined) {
    const { compactJson } = await import('../lib/formats/files/json-document.js');
    const { withChecksum } = await import('../lib/formats/files/json-document.js');
    await writeFileAtomic(out, `${compactJson(reports.length > 1 ? reports : withChecksum(reports[0]))}\n`);
  }
  return reports;
}
