/** `fedbatch evaluate`: arguments of the accuracy test. */
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { integerOption, minAccuracyOption, minMetricOption, threadsOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { leaveResult, say } from '../lib/cli/result.js';
import { ThresholdError } from '../lib/core/errors.js';
import type { AccuracyReport } from '../lib/engine/accuracy.js';
import { describeAcross, leadingAcross } from '../lib/federation/across-clients.js';
import { boundOf, leadingFigure, metricIn, reaches, type Threshold } from '../lib/federation/metrics.js';
import type { EvaluateResult, EvaluateResults } from '../lib/formats/stage-results.js';
import { addSettings, askedByFlags, type CommandSettings } from '../lib/settings/options.js';
import { callEvaluator, EVALUATE_PARTS } from './call.js';

interface EvaluateFlags {
  readonly model: readonly [string, ...string[]];
  readonly data?: string;
  readonly task?: string;
  readonly perClient?: true;
  readonly batch: number;
  readonly minAccuracy?: number;
  readonly minMetric?: Threshold;
  readonly out?: string;
  readonly threads: number;
}

const SETTINGS: CommandSettings = { parts: EVALUATE_PARTS, stage: 'evaluate', hasTitles: false };

/** Tests a model or several, writes accuracy.json, and ends with exit code 4 below `--min-accuracy`. */
export function evaluateCli(context: ProgramContext): Command {
  const command = new Command('evaluate')
    .description('Test the accuracy of a model on held-out examples.')
    .requiredOption('--model <h5...>', 'the model; each of several is tested, and the report is a list')
    .option(
      '--data <npz>',
      'held-out examples: arrays x and y, or a dataset with x_test and y_test (default: data/test.npz beside the model)',
    )
    .option('--task <file>', 'prepare the examples as this module says, where that is not done yet')
    .option(
      '--per-client',
      'test on what each client holds out too, where the split beside --data was made with --client-holdout',
    )
    .option('--batch <n>', 'examples per prediction', integerOption({ min: 1 }), 100)
    .addOption(minAccuracyOption())
    .addOption(minMetricOption())
    .option('--out <json>', 'where the report goes (default: accuracy.json beside the first model)')
    .addOption(threadsOption());
  return addSettings(command, SETTINGS)
    .addHelpText(
      'after',
      `
Example:
  npx fedbatch evaluate --model aggregated-model.h5 --data data/test.npz --min-accuracy 0.95`,
    )
    .action(async ({ model: models, minAccuracy = 0, minMetric, ...flags }: EvaluateFlags) => {
      const asked = askedByFlags(command, SETTINGS);
      const { out = join(dirname(models[0]), 'accuracy.json') } = flags;
      const reports = await callEvaluator({ ...flags, asked, models, out }, context);
      context.reporter.close();
      for (const report of reports) {
        const { acrossClients: across } = report;
        if (across !== undefined) context.reporter.info(describeAcross(across, leadingFigure(report).metric));
        say(formatAccuracyLine(report));
      }
      const results = reports.map((report) => {
        const { accuracy, loss, examples, task, metrics, leads } = report;
        return { accuracy, loss, examples, task, metrics, leads, acrossClients: leadingAcross(report) };
      });
      const [only, ...others] = results;
      const result: EvaluateResult | EvaluateResults =
        only !== undefined && others.length === 0 ? only : { models: results };
      leaveResult(result);
      // An accuracy of 0 asks for nothing, whatever the task.
      const required = [
        ...(minAccuracy > 0 ? [{ metric: 'accuracy', value: minAccuracy } as const] : []),
        ...(minMetric === undefined ? [] : [minMetric]),
      ];
      for (const report of reports) for (const each of required) requireReached(report, each);
    });
}

if (isMain(import.meta.url)) await runProgram(evaluateCli, process.argv.slice(2));

/** @throws {ThresholdError} where a metric misses a value, or there is none */
function requireReached(report: AccuracyReport, required: Threshold): void {
  const { metric, value } = required;
  const found = metricIn(report, metric);
  if (reaches(found, required)) return;
  const text = Number.isNaN(found) ? 'none' : found.toFixed(4);
  const article = metric === 'accuracy' || metric === 'auc' ? 'an' : 'a';
  throw new ThresholdError(
    `${report.model}: expected ${article} ${metric} of ${boundOf(required)} ${value} on ${report.data}, found ${text}.`,
  );
}

/** The last line of the accuracy test, in Keras' form: `10000/10000 - 3s - loss: 0.0812 - acc: 0.9753`. */
function formatAccuracyLine({ examples, seconds, loss, accuracy, task, metrics }: AccuracyReport): string {
  const figures =
    task === undefined ? { acc: accuracy as number } : (metrics as Readonly<Record<string, number>>);
  const told = Object.entries(figures).map(([name, value]) => `${name}: ${value.toFixed(4)}`);
  return [`${examples}/${examples}`, `${Math.round(seconds)}s`, `loss: ${loss.toFixed(4)}`, ...told].join(
    ' - ',
  );
}
