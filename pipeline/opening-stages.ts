/** What a run does once, before its rounds: the split and the initial model, unless they lie there as these settings make them. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { targetsFor } from '../lib/federation/loss.js';
import { storageError } from '../lib/formats/files/atomic-file.js';
import { ifWhole } from '../lib/formats/files/json-document.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import { clientsOf, filesOf, type Manifest, readManifest } from '../lib/formats/manifest.js';
import { readRoundRecord } from '../lib/formats/run-record.js';
import { isSplitBy } from '../lib/formats/same-split.js';
import { modelTitle } from '../lib/settings/parts/data.js';
import { lossAsked } from '../lib/settings/parts/training.js';
import { initCommand, normalizeAsked, splitCommand } from './commands/stage-commands.js';
import type { LocalRun } from './local-run.js';
import { holds } from './record/round-ledger.js';
import type { GlobalModel } from './rounds/runner.js';
import { executeOne } from './rounds/target.js';
import { count, stopwatch, tell, tellSkipped } from './rounds/telling.js';

/** Splits the dataset into `data/`; returns what the split made. */
export async function splitStage(run: LocalRun): Promise<Manifest> {
  const stage = { stage: 'split' } as const;
  const earlier = await finishedSplit(run);
  if (earlier !== undefined) {
    // Where the splitter was killed after its last file.
    const { splitMark } = run.paths;
    await rm(splitMark, { force: true }).catch((error: unknown) => {
      throw storageError(splitMark, error);
    });
    tellSkipped(run, stage, describe(earlier));
    return earlier;
  }
  const { seconds, took } = await stopwatch(() =>
    executeOne(run.target, splitCommand(run), { ...run, schema: z.unknown() }),
  );
  const manifest = await readManifest(run.paths.manifest);
  tell(run, stage, `${describe(manifest)}  ${took}`);
  if (normalizeAsked(run.settings) !== run.settings.dataset.normalize && hasColumns(manifest)) {
    run.reporter.info(
      "the table's numbers are not normalised, since sums over the clients without noise are outside of what ε covers: " +
        '--normalize on does it all the same',
    );
  }
  await run.metrics.append({ event: 'split', shards: clientsOf(manifest).length, seconds });
  return manifest;
}

/** Whether there are numbers of a table, which a run normalises where it is not private. */
const hasColumns = ({ inputs = [] }: Manifest): boolean =>
  inputs.some(({ columns, categories }) => columns !== undefined && categories === undefined);

/** The manifest of an earlier split of these settings, if everything that it lists is still there. */
async function finishedSplit({ paths, settings }: LocalRun): Promise<Manifest | undefined> {
  const manifest = await ifWhole(readManifest(paths.manifest));
  if (manifest === undefined) return undefined;
  const { dataset, federation, seed, training, model } = settings;
  const task = model.task === undefined ? undefined : model.sha256;
  const isOfTheseSettings =
    (dataset.sha256 ?? manifest.dataset.sha256) === manifest.dataset.sha256 &&
    isSplitBy(manifest, {
      ...dataset,
      ...federation,
      ...{ seed, task, virtual: federation.simulate ?? false, normalize: normalizeAsked(settings) },
      // What a task makes of the targets is its own affair.
      targets: task === undefined ? targetsFor(lossAsked(training)) : undefined,
    });
  if (!isOfTheseSettings) return undefined;
  for (const { file, sha256 } of filesOf(manifest)) {
    if (!(await holds(join(paths.data, file), sha256))) return undefined;
  }
  return manifest;
}

function describe(manifest: Manifest): string {
  const { test, dataset, virtual } = manifest;
  const sizes = clientsOf(manifest).map(({ examples }) => examples);
  const smallest = sizes.reduce((least, size) => Math.min(least, size));
  const largest = sizes.reduce((most, size) => Math.max(most, size));
  const each = smallest === largest ? `${smallest}` : `${smallest} to ${largest}`;
  const thing = virtual === undefined ? 'shard' : 'virtual shard';
  const held = clientsOf(manifest).reduce((sum, { heldOut }) => sum + (heldOut?.examples ?? 0), 0);
  const byClients = held === 0 ? '' : `, ${held} held out by clients`;
  return `${dataset.file}: ${count(sizes.length, thing)} of ${each} examples, ${test.examples} to test on${byClients}`;
}

/** Makes the initial model, unless round 1 has started from the one that lies there. */
export async function initStage(run: LocalRun): Promise<GlobalModel> {
  const { paths, settings } = run;
  const stage = { stage: 'init' } as const;
  const file = paths.round(1).globalModel;
  const record = await ifWhole(readRoundRecord(paths.round(1).record));
  if (record !== undefined && (await holds(file, record.parent))) {
    tellSkipped(run, stage, `${modelTitle(settings.model)} model`);
    return { file, sha256: record.parent };
  }
  const { took } = await stopwatch(() =>
    executeOne(run.target, initCommand(run), { ...run, schema: z.unknown() }),
  );
  tell(run, stage, `${modelTitle(settings.model)} model  ${took}`);
  return { file, sha256: await sha256OfFile(file, 'the initial model') };
}
