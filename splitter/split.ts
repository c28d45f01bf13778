/** The splitter's main path: a dataset dealt to clients, one npz each, with a test set and a manifest. */
import { basename, join } from 'node:path';
import { UsageError } from '../lib/core/errors.js';
import {
  completedRows,
  type ExampleRows,
  type InputRows,
  renumberedRows,
} from '../lib/federation/example-rows.js';
import type { AskedLoss } from '../lib/federation/loss.js';
import { formatScale, type PixelScale } from '../lib/federation/pixel-scale.js';
import { piecesOf } from '../lib/federation/statistics.js';
import type { Tell } from '../lib/formats/data/dataset.js';
import { type OwnedDataset, openSource } from '../lib/formats/data/dataset-source.js';
import { writeWhile } from '../lib/formats/files/atomic-file.js';
import { ScratchFile } from '../lib/formats/files/scratch-file.js';
import { clientsOf, type Manifest, writeManifest } from '../lib/formats/manifest.js';
import { DATA_NOTE, type Reporter } from '../lib/observability/events.js';
import { preparedDataset, wantedTargets } from '../lib/task-file/prepared-examples.js';
import type { TaskFile } from '../lib/task-file/read-task.js';
import { dealParts, type FilePart, type PartRows } from './dealt-parts.js';
import { tellHoldout } from './held-out.js';
import { beginSplit, endSplit, findFinished, MANIFEST_NAME, refuseOwnOutput } from './outputs.js';
import { type Plan, type PlanOptions, partsOfPlan, planSplit } from './plan.js';
import {
  askedNormalize,
  type ClientInputs,
  checkStatistics,
  keptCategories,
  meansOfClients,
} from './statistics.js';
import { checkScale, describeData, tellFirstLabel, tellScale, tellStatistics } from './told-data.js';
import { type WrittenParts, writeParts } from './written-parts.js';

/** What to split, and how. */
export interface SplitOptions extends PlanOptions {
  /** Directory of the shards; made when missing. */
  readonly savedir: string;
  /** Which numbers of the images are black and white; by default they are found. */
  readonly scale?: PixelScale | undefined;
  /** Says what the targets are; by default their numbers tell. */
  readonly loss?: AskedLoss | undefined;
  /** Prepares the examples before they are dealt. */
  readonly task?: TaskFile | undefined;
  /** Whether statistics of numbers are told, for models that normalise; without it those of a table are. */
  readonly normalize?: 'on' | 'off' | undefined;
  /** Clients that have to stand behind each statistic; 1 by default. */
  readonly minClientsPerStatistic?: number | undefined;
  /** Of a histogram of each column that has statistics; without it there are none. */
  readonly histogramBins?: number | undefined;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/** What a split made or found done. */
interface SplitResult {
  readonly manifest: Manifest;
  /** True when an earlier run had done the same work and its files were intact. */
  readonly skipped: boolean;
}

/**
 * Splits a dataset into `0.npz … N-1.npz` (or, where the shards are virtual, `train.npz` and `partition.npz`),
 * `test.npz` and `manifest.json`. Work that is already done is recognised
 * by the manifest and its checksums, and skipped; a split that fails leaves none of its files. Files of others stay.
 *
 * @throws {DataError} for a bad dataset
 * @throws {UsageError} for a partition that the data do not allow, or files in the way that no split made
 * @throws {StorageError} for a full disk
 */
export async function splitDataset(options: SplitOptions): Promise<SplitResult> {
  const { data, savedir, seed, testFraction, virtual = false, reporter } = options;
  const { minClientsPerStatistic = 1, histogramBins } = options;
  const { source, find, finished } = await openSplit(options, (note) => reporter.info(note, DATA_NOTE));
  if (finished !== undefined) {
    await endSplit(savedir);
    return { manifest: finished, skipped: true };
  }

  await refuseOwnOutput(data, savedir);
  // Large data are hashed while they are read.
  source.sha256().catch(() => undefined);
  const scratch = new ScratchFile(savedir);
  try {
    const loaded = await source.load({
      scratch,
      onProgress: (progress) => reporter.progress({ stage: 'read', ...progress }),
    });
    const { dataset, plan, rows } = await planTold(loaded, { ...options, scratch });
    const statistics = await tellStatistics(dataset, inputsOf(plan, rows.ofClients), options);
    tellHoldout(plan.shards, options);
    const scale = await tellScale(dataset.train, options);
    tellFirstLabel(dataset.train, options);
    const split = await beginSplit(savedir, { shards: plan.shards, virtual, find });
    const { removed, requireOwn } = split;
    if (split.finished !== undefined) {
      await split.end();
      return { manifest: split.finished, skipped: true };
    }
    if (removed > 0) reporter.info(`Removed ${removed} shards of an earlier split from ${savedir}.`);
    const describe = (files: WrittenParts, sha256: string): Manifest => ({
      schemaVersion: 1,
      dataset: {
        file: basename(data),
        sha256,
        testFraction: dataset.test === undefined ? testFraction : null,
      },
      ...(options.task === undefined ? {} : { task: options.task.sha256 }),
      partition: { ...options.partition, seed },
      ...(options.clientHoldout === undefined ? {} : { clientHoldout: options.clientHoldout }),
      ...askedNormalize(dataset, options),
      ...(minClientsPerStatistic > 1 ? { minClientsPerStatistic } : {}),
      ...(histogramBins === undefined ? {} : { histogramBins }),
      // What a task has prepared is no longer what the data say of themselves.
      ...describeData(options.task === undefined ? dataset : { train: dataset.train }, {
        classes: plan.classes,
        scale,
        statistics,
      }),
      ...files,
    });
    try {
      const manifest = await writeWhile(requireOwn, async () => {
        const whole = describe(await writeParts(plan, rows.ofFiles, options), await source.sha256());
        await writeManifest(join(savedir, MANIFEST_NAME), whole);
        return whole;
      });
      await split.end();
      return { manifest, skipped: false };
    } catch (error) {
      // Where it fails, nothing of the split stays.
      await split.abandon().catch(() => undefined);
      throw error;
    }
  } finally {
    scratch.close();
  }
}

/** Does what `split` does, but for writing. @throws {DataError} @throws {UsageError} as `split` does */
export async function checkSplit(options: SplitOptions): Promise<{ readonly shards: number }> {
  const { source, finished } = await openSplit(options, () => undefined);
  if (finished !== undefined) return { shards: clientsOf(finished).length };
  await refuseOwnOutput(options.data, options.savedir);
  const dataset = await source.load({ leavesInputs: options.task?.prepare === undefined });
  checkScale(dataset.train, options);
  const { shards } = planSplit(dataset, options);
  checkStatistics(dataset, shards.length, options);
  return { shards: shards.length };
}

/** What goes where, and the data as they are told of: without the categories that too few clients have. */
async function planTold(loaded: OwnedDataset, options: SplitOptions & { readonly scratch: ScratchFile }) {
  const { data, task, reporter, minClientsPerStatistic } = options;
  const { facts: _, ...prepared } = loaded;
  const given: OwnedDataset = task === undefined ? loaded : prepared;
  const plan = planSplit(given, options);
  checkStatistics(given, plan.shards.length, options);
  const ofFiles = dealParts(partsOfPlan(plan), options);
  // Virtual shards are lists of examples in one file.
  const ofClients = options.virtual ? dealParts(plan.shards, options) : ofFiles;
  const clients = inputsOf(plan, ofClients);
  const { facts: kept, renumbered } = await keptCategories(given, clients, options);
  // Of what a task's own module makes, the facts are not told; what is missing is missing all the same.
  const known = task === undefined ? kept : (loaded.facts ?? {});
  const { facts, means } = await meansOfClients({ ...given, facts: known }, clients, options);
  if (renumbered.size === 0 && means.size === 0)
    return { dataset: given, plan, rows: { ofFiles, ofClients } };
  for (const [name, { dropped }] of renumbered)
    reporter.info(
      `${data}: ${dropped} categories of ${name} are with fewer than ${minClientsPerStatistic} clients, and count as none ` +
        'of those that are known (--min-clients-per-statistic)',
      DATA_NOTE,
    );
  const change = async (input: InputRows) => {
    const { numbers } = renumbered.get(input.name) ?? {};
    const ofColumns = means.get(input.name);
    if (ofColumns !== undefined) return completedRows(input, ofColumns);
    return numbers === undefined ? input : await renumberedRows(input, numbers);
  };
  const changed =
    (rows: PartRows): PartRows =>
    async (part, at) =>
      await change(await rows(part, at));
  const sourceOf = async (source: ExampleRows): Promise<ExampleRows> => {
    const inputs: InputRows[] = [];
    for (const input of source.inputs) inputs.push(await change(input));
    return { ...source, inputs: inputs as unknown as ExampleRows['inputs'] };
  };
  const dataset = {
    ...given,
    ...(task === undefined ? { facts } : {}),
    train: await sourceOf(given.train),
    ...(given.test === undefined ? {} : { test: await sourceOf(given.test) }),
  };
  return { dataset, plan, rows: { ofFiles: changed(ofFiles), ofClients: changed(ofClients) } };
}

/** The training examples of the clients, for statistics. */
const inputsOf = ({ shards }: Plan, rows: PartRows): ClientInputs => ({
  clients: shards.length,
  async *pieces(client, array) {
    const part = shards[client] as FilePart;
    if (array === 'targets') yield* piecesOf(part.source.targets[0], part.indices);
    else yield* (await rows(part, array)).pieces();
  },
});

/** The data, not loaded yet, and the same split of before, where it is finished and whole. */
async function openSplit(options: SplitOptions, tell: Tell) {
  const { data, savedir, partition, virtual = false, task, loss } = options;
  const scale = options.scale && formatScale(options.scale);
  const targets = wantedTargets({ task, loss });
  const { sha256: hash, load } = await openSource(data, partition, { tell, targets });
  let hashed: Promise<string> | undefined;
  const sha256 = () => {
    hashed ??= hash();
    return hashed;
  };
  const key = { ...options, virtual, scale, targets, datasetSha256: sha256, task: task?.sha256 };
  const source = {
    sha256,
    load: async (how: Parameters<typeof load>[0]) => {
      const loaded = await load(how);
      if (task?.prepare !== undefined && loaded.facts?.means !== undefined) {
        throw new UsageError(
          `${data}: missing: mean does not go with ${task.path}, whose prepare would be given rows that lack numbers: name ` +
            'numbers under missing.',
        );
      }
      return await preparedDataset(task, loaded);
    },
  };
  const find = () => findFinished(savedir, key);
  return { source, find, finished: await find() };
}
