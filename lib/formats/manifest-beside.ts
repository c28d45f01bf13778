/** What a manifest tells of a file of examples beside it: how a program reads the one that it is given. */
import { basename, dirname, join } from 'node:path';
import type { TargetKinds } from '../federation/examples.js';
import { type AskedLoss, targetsFor } from '../federation/loss.js';
import { type PixelScale, scaleOf } from '../federation/pixel-scale.js';
import { isThere } from './files/late-names.js';
import { filesOf, type Manifest, modelScaleOf, readManifest, targetsListed } from './manifest.js';

/** The manifest in the directory of a shard, where one lies there. @throws {DataError} as `readManifest` */
export async function manifestBeside(shard: string): Promise<Manifest | undefined> {
  const path = join(dirname(shard), 'manifest.json');
  return (await isThere(path)) ? await readManifest(path) : undefined;
}

/** The manifest beside a file of examples, where it can be read and lists the file. */
export async function listedBeside(path: string): Promise<Manifest | undefined> {
  const manifest = await manifestBeside(path).catch(() => undefined);
  return manifest && filesOf(manifest).some(({ file }) => file === basename(path)) ? manifest : undefined;
}

/** What the manifest that lists a file of examples says of their scale. */
export function scaleListed(manifest: Manifest | undefined): PixelScale | 'usual' | undefined {
  if (manifest === undefined) return undefined;
  return manifest.image?.scale === undefined ? 'usual' : scaleOf(modelScaleOf(manifest));
}

/** What the targets in a file of examples are: by the loss that is asked for, else by the manifest that lists the file. */
export async function targetsIn(
  listed: () => Promise<Manifest | undefined>,
  asked: AskedLoss | undefined,
): Promise<TargetKinds | undefined> {
  const wanted = targetsFor(asked);
  if (typeof wanted === 'string') return wanted;
  const manifest = await listed();
  const kinds = manifest && targetsListed(manifest);
  return typeof kinds === 'object' ? { ...kinds, ...wanted } : (kinds ?? wanted);
}
