/** What a manifest tells of the examples of a split, and of a file of them beside it: how a program reads the one that it is given. */
import { basename, dirname, join } from 'node:path';
import type { TargetKinds } from '../federation/examples.js';
import { type AskedLoss, targetsFor } from '../federation/loss.js';
import {
  formatScale,
  inputScale,
  isNear,
  type PixelScale,
  parseScale,
  scaleOf,
  UNIT_SCALE,
} from '../federation/pixel-scale.js';
import { ifWhole } from './files/json-document.js';
import { isThere } from './files/late-names.js';
import type { DataNames } from './keras/data-names.js';
import { filesOf, type Manifest, readManifest } from './manifest.js';

/** What the targets of a split are. */
export function targetsListed({ targets, outputs = [] }: Pick<Manifest, 'targets' | 'outputs'>): TargetKinds {
  const [only, ...others] = outputs;
  if (only === undefined) return targets?.kind ?? 'labels';
  if (others.length === 0) return only.kind;
  return Object.fromEntries(outputs.map(({ name, kind }) => [name, kind]));
}

/** The scale of the inputs of a model that is trained on such images, as its file says it; undefined where 0 to 1. */
export function modelScaleOf({ image }: Pick<Manifest, 'image'>): string | undefined {
  const stored = image?.scale === undefined ? undefined : parseScale(image.scale);
  if (image === undefined || stored === undefined) return undefined;
  const input = inputScale(stored, image.dtype === 'uint8');
  return isNear(UNIT_SCALE, input, 0) ? undefined : formatScale(input);
}

/** What the file of a model calls the numbers of such data; undefined where they have no names. */
export function dataNamesOf({ classNames, target, inputs = [] }: Manifest): DataNames | undefined {
  const told = inputs.map(({ name, columns, categories, units, missing }) => ({
    name,
    columns,
    categories,
    units,
    missing,
  }));
  const hasInputs = told.some(({ columns, categories }) => columns ?? categories);
  if (classNames === undefined && !hasInputs) return undefined;
  return {
    ...(classNames && { classNames }),
    ...(target && { target }),
    ...(hasInputs ? { inputs: told } : {}),
  };
}

/** The manifest in the directory of a shard, where one lies there. @throws {DataError} as `readManifest` */
export async function manifestBeside(shard: string): Promise<Manifest | undefined> {
  const path = join(dirname(shard), 'manifest.json');
  return (await isThere(path)) ? await readManifest(path) : undefined;
}

/** The manifest beside a file of examples, where it is whole and lists the file. @throws {DataError} as `ifWhole` */
export async function listedBeside(path: string): Promise<Manifest | undefined> {
  const manifest = await ifWhole(manifestBeside(path));
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
