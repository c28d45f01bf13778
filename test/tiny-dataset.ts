/** A dataset so small that a whole run takes seconds, and so plain that a model learns it. */
import { join } from 'node:path';
import { randomStream } from '../lib/core/random.js';
import { writeShard } from '../lib/formats/data/dataset.js';

const SIDE = 8;
const CLASSES = 4;

/** Writes `count` images of a bright bar in one of four rows, with noise, to `tiny.npz` in `directory`; its path. */
export async function writeTinyDataset(directory: string, count = 360): Promise<string> {
  const random = randomStream(1, 'tiny dataset');
  const images = new Uint8Array(count * SIDE * SIDE);
  const labels = new Int32Array(count);
  for (let image = 0; image < count; image++) {
    const label = image % CLASSES;
    labels[image] = label;
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      const isBar = Math.floor(pixel / SIDE) === 2 * label;
      images[image * SIDE * SIDE + pixel] = random.integer(0, 160) + (isBar ? 75 : 0);
    }
  }
  const path = join(directory, 'tiny.npz');
  await writeShard(path, { shape: [count, SIDE, SIDE], images, labels });
  return path;
}
