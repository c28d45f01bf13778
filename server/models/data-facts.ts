/** What the data of a run say of the inputs and the answers of its model: out of the model's file, and the manifest near it. */
import { dirname, join } from 'node:path';
import { own } from '../../lib/core/own.js';
import { sizeOf } from '../../lib/core/weights.js';
import type { DataNames } from '../../lib/formats/keras/data-names.js';
import { type Manifest, readManifest } from '../../lib/formats/manifest.js';
import { withoutNoise } from '../codecs/answers.js';
import type { ServedColumn, ServedInput } from './served-facts.js';

/** Where a manifest lies, seen from a model: on the volume of its run, beside a copy, and above the model of a client. */
const PLACES = ['data/manifest.json', 'manifest.json', '../data/manifest.json'];

type ListedInput = NonNullable<Manifest['inputs']>[number];

/** What is said of an input; of its numbers more where the manifest is at hand. */
type ToldInput = Pick<ListedInput, 'name' | 'columns' | 'categories' | 'units' | 'missing'> &
  Partial<Pick<ListedInput, 'statistics' | 'counts'>>;

/** What the data of a model say of it. */
export interface ToldData extends Pick<Manifest, 'classNames' | 'target'> {
  readonly inputs?: readonly ToldInput[] | undefined;
}

/** What the file of a model says that was trained here, and the manifest near it: each has some of it, depending on its version. */
export async function toldData(modelPath: string, names: DataNames | undefined): Promise<ToldData> {
  const manifest = await manifestNear(modelPath);
  if (names === undefined) return manifest ?? {};
  const alike = (input: ToldInput) =>
    manifest?.inputs?.find(({ name, columns }) => name === input.name && `${columns}` === `${input.columns}`);
  const { classNames = manifest?.classNames, target = manifest?.target, inputs } = names;
  return {
    classNames: classNames && [...classNames],
    target,
    inputs: inputs?.map((input) => ({ ...alike(input), ...input })) ?? manifest?.inputs,
  };
}

async function manifestNear(modelPath: string): Promise<Manifest | undefined> {
  for (const place of PLACES) {
    const manifest = await readManifest(join(dirname(modelPath), place)).catch(() => undefined);
    if (manifest !== undefined) return manifest;
  }
  return undefined;
}

/** The inputs with what the data say of each: by name, or as they come. Of other inputs than the model's they say nothing. */
export function withDataFacts(
  inputs: readonly ServedInput[],
  { inputs: told = [] }: ToldData,
): readonly ServedInput[] {
  if (told.length !== inputs.length) return inputs;
  const named = inputs.map(({ name }) => told.find((each) => each.name === name));
  const ordered = named.every((each) => each !== undefined) ? named : told;
  return inputs.map((input, at) => ({ ...input, ...factsOf(input, ordered[at] as ToldInput) }));
}

function factsOf(
  { shape, below }: ServedInput,
  told: ToldInput,
): Pick<ServedInput, 'columns' | 'categories' | 'takesUnknown'> {
  const { columns, categories, missing = {}, counts = [] } = told;
  const isTable = columns?.length === sizeOf(shape);
  const areKnown = categories !== undefined && categories.length < (below ?? Number.POSITIVE_INFINITY);
  const hadUnknown = Object.values(missing).includes('unknown') || (counts[0] ?? 0) > 0;
  return {
    ...(isTable ? { columns: columns.map((name, at) => columnOf(name, at, told)) } : {}),
    ...(areKnown ? { categories } : {}),
    ...(areKnown && hadUnknown ? { takesUnknown: true } : {}),
  };
}

function columnOf(
  name: string,
  at: number,
  { units = {}, missing = {}, categories, columns = [], statistics }: ToldInput,
): ServedColumn {
  const [unit, stand] = [own(units, name), own(missing, name)];
  // Of a sequence there is one for all of its steps.
  const ofColumns = statistics?.mean.length === columns.length ? statistics : undefined;
  const [least, most] = [ofColumns?.least[at], ofColumns?.most[at]];
  const hasRange = categories === undefined && least !== undefined && most !== undefined;
  return {
    name,
    ...(unit === undefined ? {} : { unit }),
    ...(typeof stand === 'number' ? { missing: stand } : {}),
    ...(hasRange ? { least: withoutNoise(least), most: withoutNoise(most) } : {}),
  };
}
