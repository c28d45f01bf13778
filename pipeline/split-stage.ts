/** The split of a run on this machine: started unless its shards lie there, whole and as these settings make them. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { DataError } from '../lib/core/errors.js';
import { clientsOf, filesOf, type Manifest, readManifest } from '../lib/formats/manifest.js';
import { splitCommand } from './commands/stage-commands.js';
import { count, type LocalRun, stopwatch, tell, tellSkipped } from './local-run.js';
import { holds } from './round-ledger.js';
import { executeOne } from './target.js';

/** Splits the dataset into `data/`; returns what the split made. */
export async function splitStage(run: LocalRun): Promise<Manifest> {
  const stage = { stage: 'split' } as const;
  const earlier = await finishedSplit(run);
  if (earlier !== undefined) {
    tellSkipped(run, stage, describe(earlier));
    return earlier;
  }
  const { seconds, took } = await stopwatch(() =>
    executeOne(run.target, splitCommand(run), { ...run, schema: z.unknown() }),
  );
  const manifest = await readManifest(run.paths.manifest);
  tell(run, stage, `${describe(manifest)}  ${took}`);
  await run.metrics.append({ event: 'split', shards: clientsOf(manifest).length, seconds });
  return manifest;
}

/** The manifest of an earlier split of these settings, if everything that it lists is still there. */
async function finishedSplit({ paths, settings }: LocalRun): Promise<Manifest | undefined> {
  const manifest = await readManifest(paths.manifest).catch((error: unknown) => {
    if (error instanceof DataError) return undefined;
    throw error;
  });
  if (manifest === undefined) return undefined;
  const { dataset, federation, seed } = settings;
  const isOfTheseSettings =
    clientsOf(manifest).length === federation.clients &&
    (manifest.virtual !== undefined) === (federation.simulate ?? false) &&
    isDeepStrictEqual(manifest.partition, { ...federation.partition, seed }) &&
    (manifest.image.scaleIsGiven ? manifest.image.scale : undefined) === dataset.scale &&
    (dataset.sha256 ?? manifest.dataset.sha256) === manifest.dataset.sha256;
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
  return `${dataset.file}: ${count(sizes.length, thing)} of ${each} examples, ${test.examples} to test on`;
}
