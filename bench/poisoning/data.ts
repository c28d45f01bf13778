/** The data of the trials: a part of MNIST that says whose each image is, with what attackers made of theirs. */
import { type PartitionOptions, partition } from '../../lib/federation/partition/partition.js';
import { encodeNpz, type NamedArray, openNpz } from '../../lib/formats/data/npz.js';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import { attackersOf, BACKDOOR_LABEL, type Images, poisonExamples, stamp } from './attacks.js';
import { CLIENTS, EVERY, type Split, type Trial } from './trials.js';

/** MNIST as the trials take it: a part of the training images, all test images. */
export interface Mnist {
  readonly train: Images;
  readonly test: Images;
}

/** Reads MNIST from an npz. */
export async function readMnist(path: string): Promise<Mnist> {
  const archive = await openNpz(await readFileBytes(path, 'MNIST as npz'), path);
  const bytes = (name: string) => {
    const { values, shape } = archive.read(name);
    if (!(values instanceof Uint8Array)) throw new Error(`${path}: expected uint8 in ${name}`);
    return { values, shape };
  };
  const part = (name: string, every: number): Images => {
    const [x, y] = [bytes(`x_${name}`), bytes(`y_${name}`)];
    const [, side = 0] = x.shape;
    const size = side * side;
    const count = Math.floor(y.values.length / every);
    const pixels = new Uint8Array(count * size);
    for (let at = 0; at < count; at++)
      pixels.set(x.values.subarray(at * every * size, (at * every + 1) * size), at * size);
    return { pixels, labels: y.values.filter((_, at) => at % every === 0 && at < count * every), side };
  };
  return { train: part('train', EVERY), test: part('test', 1) };
}

/** A client that has less than one batch learns nothing. */
const MIN_EXAMPLES = 32;

function dealt(labels: Uint8Array, split: Split, seed: number): readonly Uint32Array[] {
  const scheme = split === 'iid' ? { scheme: split } : { scheme: split, alpha: 0.5 };
  const options: PartitionOptions = { ...scheme, clients: CLIENTS, seed, minExamples: MIN_EXAMPLES };
  return partition(labels, options);
}

/** Writes the data of a trial: each image with its client, those of attackers as the attack wants them. */
export async function writeTrialData(
  path: string,
  { train, test }: Mnist,
  { split, attack, share, seed }: Omit<Trial, 'strategy'>,
): Promise<void> {
  const images = { ...train, pixels: train.pixels.slice(), labels: train.labels.slice() };
  const shards = dealt(train.labels, split, seed);
  const attackers = attackersOf({ clients: CLIENTS, share, seed });
  const owners = new Int32Array(train.labels.length);
  for (const [client, indices] of shards.entries()) {
    for (const index of indices) owners[index] = client;
    if (attackers.includes(client)) poisonExamples(images, attack, indices);
  }
  const owned: NamedArray = { name: 'client', shape: [owners.length], values: owners };
  await writeFileAtomic(path, await encodeNpz([...arrays('train', images), owned, ...arrays('test', test)]));
}

/** Writes the test of a backdoor: images of the other labels, each with the square, and the label that it should lead to. */
export async function writeBackdoorTest(path: string, { test }: Mnist): Promise<void> {
  const size = test.side * test.side;
  const others = [...test.labels.keys()].filter((index) => test.labels[index] !== BACKDOOR_LABEL);
  const pixels = new Uint8Array(others.length * size);
  const labels = new Uint8Array(others.length).fill(BACKDOOR_LABEL);
  const stamped: Images = { pixels, labels, side: test.side };
  for (const [at, index] of others.entries()) {
    pixels.set(test.pixels.subarray(index * size, (index + 1) * size), at * size);
    stamp(stamped, at);
  }
  await writeFileAtomic(path, await encodeNpz(arrays('test', stamped)));
}

const arrays = (part: string, { pixels, labels, side }: Images): readonly NamedArray[] => [
  { name: `x_${part}`, shape: [labels.length, side, side], values: pixels },
  { name: `y_${part}`, shape: [labels.length], values: labels },
];
