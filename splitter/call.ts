/** The splitter as a call: what is asked for → what the split made. The program and the library make it. */
import { UsageError } from '../lib/core/errors.js';
import { clientsFollowFromData, DEFAULT_TEST_FRACTION } from '../lib/federation/partition/settings.js';
import { namedScale } from '../lib/federation/pixel-scale.js';
import { withSchemeOfData } from '../lib/formats/data/asked-scheme.js';
import type { SplitSummary } from '../lib/formats/stage-results.js';
import type { Reporter } from '../lib/observability/events.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { DATASET, MODEL, SEED } from '../lib/settings/parts/data.js';
import { CLIENTS, HOLDOUT, SIMULATION } from '../lib/settings/parts/federation.js';
import { PARTITION } from '../lib/settings/parts/partition.js';
import { lossAsked, TRAINING } from '../lib/settings/parts/training.js';
import type { SplitOptions } from './split.js';

/** The settings that a split takes. */
export const SPLIT_PARTS = [SEED, DATASET, MODEL, TRAINING, CLIENTS, PARTITION, HOLDOUT, SIMULATION] as const;

/** What to split, and where to. */
export interface SplitAsked {
  readonly asked: AskedSettings;
  /** Directory of the shards. */
  readonly out: string;
  readonly testFraction?: number | undefined;
}

type Context = { readonly reporter: Reporter; readonly signal: AbortSignal };

/** Splits. @throws {DataError} @throws {UsageError} as `split` does */
export async function callSplitter(request: SplitAsked, context: Context): Promise<SplitSummary> {
  const startedAt = performance.now();
  const { reporter } = context;
  const { out: savedir } = request;
  // Zip, npy and schema code is loaded only when there is work, so that --help comes at once.
  const { splitDataset } = await import('./split.js');
  const { clientsOf } = await import('../lib/formats/manifest.js');
  const { manifest, skipped } = await splitDataset(await splitOptions(request, context));
  const seconds = Math.round(performance.now() - startedAt) / 1000;
  const { test } = manifest;
  const shards = clientsOf(manifest);
  const examples = shards.reduce((sum, shard) => sum + shard.examples, 0);
  reporter.info(
    skipped
      ? `Nothing to do: ${savedir} holds this split already, and its checksums hold.`
      : `Split ${examples} examples into ${shards.length} shards and ${test.examples} for the test in ${seconds} s.`,
  );
  return { shards: shards.length, examples, test: test.examples, seconds, savedir, skipped };
}

/** What the splitter is to do, with the dataset there. @throws {UsageError} where nothing tells the number of clients */
export async function splitOptions(
  { asked: askedFor, out: savedir, testFraction = DEFAULT_TEST_FRACTION }: SplitAsked,
  context: Context,
): Promise<SplitOptions> {
  const asked = await withSchemeOfData(askedFor, (note) => context.reporter.info(note));
  const { given, named } = asked;
  const { seed, dataset, training, federation } = completeSettings(SPLIT_PARTS, asked);
  const { partition, clientHoldout, simulate: virtual = false } = federation;
  const clients = given['federation.clients'] === undefined ? undefined : federation.clients;
  if (clients === undefined && !clientsFollowFromData(partition)) {
    throw new UsageError(
      `Expected ${named('federation.clients')}, the number of shards: ${named('federation.partition.scheme')} ` +
        `${partition.scheme} needs it.`,
    );
  }
  const { resolveDataset } = await import('../datasets/resolve.js');
  const data = await resolveDataset(dataset.name, context);
  const task = typeof given['model.task'] === 'string' ? await taskNamed(given['model.task']) : undefined;
  return {
    data,
    savedir,
    clients,
    partition,
    testFraction,
    clientHoldout,
    seed,
    virtual,
    task,
    loss: lossAsked(training) ?? task?.loss,
    normalize: dataset.normalize,
    minClientsPerStatistic: dataset.minClientsPerStatistic,
    histogramBins: dataset.histogramBins,
    ...namedScale(dataset.scale),
    ...context,
  };
}

/** A task is loaded where one is named. */
async function taskNamed(path: string) {
  const { readTask } = await import('../lib/task-file/read-task.js');
  return readTask(path);
}
