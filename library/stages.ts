/** The stages as calls: each does what the program of its name does, once, from files to files. */
import type { AggregationOptions } from '../aggregator/call.js';
import type { FormatName } from '../export/format.js';
import { UsageError } from '../lib/core/errors.js';
import type { AccuracyReport } from '../lib/engine/accuracy.js';
import type { ExportResult } from '../lib/formats/export-result.js';
import type { AggregateResult, SplitSummary, TrainResult } from '../lib/formats/stage-results.js';
import { STRATEGY } from '../lib/settings/parts/strategy.js';
import type { RunSettings } from '../lib/settings/table.js';
import { availableCores } from '../lib/system/hardware.js';
import { type CallOptions, call } from './call.js';
import { askedBy, type Given, type GivenStrategy } from './settings.js';

type Part<K extends keyof RunSettings> = Given<RunSettings>[K];

/** What to split, and how. */
export interface SplitCall extends CallOptions {
  /** `name` is a path, or one of the names `digits` and `mnist`. */
  readonly dataset?: Part<'dataset'>;
  /** The number of clients, and the partition. */
  readonly federation?: Pick<
    NonNullable<Part<'federation'>>,
    'clients' | 'partition' | 'clientHoldout' | 'simulate'
  >;
  readonly seed?: number | undefined;
  /** A task, which prepares the examples. */
  readonly model?: Pick<NonNullable<Part<'model'>>, 'task'>;
  /** Directory of the shards, `0.npz` … `N-1.npz`, with `test.npz` and `manifest.json`. */
  readonly out: string;
  /** Share held out for testing, where the dataset brings no test examples; 1/6 unless it is given. */
  readonly testFraction?: number | undefined;
}

/**
 * Deals a dataset to clients, one npz each. The same split of before is recognised and kept.
 *
 * @throws {DataError} for a dataset that is invalid
 * @throws {UsageError} for a partition that the data do not allow, or files in the way
 */
export function split(options: SplitCall): Promise<SplitSummary> {
  return call(options, async (context) => {
    const { callSplitter, SPLIT_PARTS } = await import('../splitter/call.js');
    const { out, testFraction } = options;
    return callSplitter(
      {
        asked: askedBy(options, SPLIT_PARTS, { takes: ['out', 'testFraction'], needs: ['out'] }),
        out,
        testFraction,
      },
      context,
    );
  });
}

/** Which client to train, from which model, on what. */
export interface TrainCall extends CallOptions {
  readonly model?: Part<'model'>;
  readonly training?: Part<'training'>;
  readonly engine?: Part<'engine'>;
  readonly seed?: number | undefined;
  /** The client's shard (npz). */
  readonly data: string;
  /** The global model to start from (h5); without it, the seeded initial `model`. */
  readonly init?: string | undefined;
  /** What `init` has to be, by the sha256 of the file. */
  readonly initSha256?: string | undefined;
  /** What the client holds out (npz): the model is tested on it before and after the training. */
  readonly clientTest?: string | undefined;
  /** The file of a task: model, loss and preprocessing. */
  readonly task?: string | undefined;
  /** Where the update goes (h5). */
  readonly out: string;
  /** Number of the client; by default that of the shard, 3 for `3.npz`, else 0. */
  readonly client?: number | undefined;
  /** Number of the round; 1 by default. */
  readonly round?: number | undefined;
  /** Classes of `model`; by default as the manifest beside the shard says, or its labels. */
  readonly classes?: number | undefined;
  /** Processor threads; by default one for each core of this machine or container. */
  readonly threads?: number | undefined;
  /** The strategy of the round, where it asks more of clients than training. */
  readonly strategy?: Pick<NonNullable<RunSettings['strategy']>, 'name'> | undefined;
}

/**
 * Trains one client in a thread of its own and writes its update.
 *
 * @throws {DataError} for a shard or model that is invalid
 */
export function train(options: TrainCall): Promise<TrainResult> {
  return call(options, async (context) => {
    const { callTrainer, TRAIN_PARTS } = await import('../trainer/call.js');
    const { data, init, initSha256, clientTest, task, out, client, round = 1, classes, strategy } = options;
    const { threads = availableCores() } = options;
    const asked = askedBy(options, TRAIN_PARTS, {
      takes: [
        'data',
        'init',
        'initSha256',
        'clientTest',
        'task',
        'out',
        'client',
        'round',
        'classes',
        'threads',
        'strategy',
      ],
      needs: ['data', 'out'],
    });
    askedBy({ strategy }, [STRATEGY], { takes: [] });
    return callTrainer(
      {
        asked,
        data,
        init,
        initSha256,
        clientTest,
        task,
        out,
        client,
        round,
        classes,
        threads,
        strategy: strategy?.name,
      },
      { ...context, named: asked.named, startedAtMs: performance.now() },
    );
  });
}

/** The options of an aggregation beside its strategy. */
const AGGREGATE_OPTIONS = [
  ...[
    'seed',
    'updates',
    'out',
    'parent',
    'parentSha256',
    'round',
    'manifest',
    'clients',
    'reported',
    'minUpdates',
  ],
  ...['stateIn', 'stateOut', 'dpParticipants', 'dpPopulation', 'dpNoiseFile'],
] as const;

/** Which updates to aggregate, and into what. */
export interface AggregateCall extends CallOptions, AggregationOptions {
  readonly strategy?: GivenStrategy | undefined;
  /** Files of updates, or the directory of whose `*.h5` they are. */
  readonly updates: string | readonly string[];
}

/**
 * Makes the next global model of client updates. What is rejected, and why, is in the result.
 *
 * @throws {ThresholdError} when fewer than `minUpdates` are good; nothing is written then
 * @throws {DataError} when updates disagree about where they come from
 */
export function aggregate(options: AggregateCall): Promise<AggregateResult> {
  return call(options, async (context) => {
    const { AGGREGATE_PARTS, callAggregator } = await import('../aggregator/call.js');
    const asked = askedBy(options, AGGREGATE_PARTS, { takes: AGGREGATE_OPTIONS, needs: ['out'] });
    const { updates, strategy: _strategy, signal: _signal, reporter: _reporter, ...request } = options;
    if (updates === undefined || updates.length === 0) {
      throw new UsageError('updates: expected files of updates or a directory, found none.');
    }
    const given = typeof updates === 'string' ? { dir: updates, files: [] } : { files: updates };
    return callAggregator({ ...request, ...given, asked }, context);
  });
}

/** What to test, on what. */
export interface EvaluateCall extends CallOptions {
  readonly engine?: Part<'engine'>;
  /** The model (h5). */
  readonly model: string;
  /** The held-out examples (npz); by default `data/test.npz` beside the model. */
  readonly data?: string | undefined;
  /** The file of a task, which prepares them where that is not done yet. */
  readonly task?: string | undefined;
  /** Whether the clients of the split beside `data` are tested too, each on what it holds out; not by default. */
  readonly perClient?: boolean | undefined;
  /** Where the report goes (JSON); nowhere by default. */
  readonly out?: string | undefined;
  /** Examples per prediction; 100 by default. */
  readonly batch?: number | undefined;
  /** Processor threads; by default one for each core of this machine or container. */
  readonly threads?: number | undefined;
}

/**
 * Tests the accuracy of a model on held-out examples.
 *
 * @throws {DataError} when model or data are missing, damaged, or do not fit each other
 */
export function evaluate(options: EvaluateCall): Promise<AccuracyReport> {
  return call(options, async (context) => {
    const { callEvaluator, EVALUATE_PARTS } = await import('../evaluator/call.js');
    const { model, data, task, perClient, out, batch, threads = availableCores() } = options;
    const asked = askedBy(options, EVALUATE_PARTS, {
      takes: ['model', 'data', 'task', 'perClient', 'out', 'batch', 'threads'],
      needs: ['model'],
    });
    const [report] = await callEvaluator(
      { asked, models: [model], data, task, perClient, out, batch, threads },
      context,
    );
    return report;
  });
}

/** Which model to write, in which format. */
export interface ExportCall extends CallOptions {
  /** A model file, or a run: its volume, name or id below runs/. */
  readonly model: string;
  /** The format; without one, the card alone is written. */
  readonly to?: FormatName | undefined;
  /** The file or folder to write; by default in the working directory, called after the run or the model. */
  readonly output?: string | undefined;
  /** Whether a model card in Markdown is written, too. */
  readonly card?: boolean | undefined;
  /** A Python with TensorFlow, which writes SavedModels; `python3` by default. */
  readonly python?: string | undefined;
}

/**
 * Writes a model in the format of another program, with what is known of it, or its card, or both.
 *
 * @throws {UsageError} naming what the format cannot hold; nothing is written then
 * @throws {DataError} when there is no such model
 */
export function exportModel(options: ExportCall): Promise<ExportResult> {
  return call(options, async (context) => {
    const { callExport } = await import('../export/call.js');
    askedBy(options, [], { takes: ['model', 'to', 'output', 'card', 'python'], needs: ['model'] });
    const { model, to, output, card = false, python = 'python3' } = options;
    return callExport({ model, to, output, card, python }, context);
  });
}
