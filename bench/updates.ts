/** Updates of a round, made without training. */
import { join } from 'node:path';
import { randomStream } from '../lib/core/random.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { kerasConfig } from '../lib/model/keras/keras-model.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { initialWeights } from '../lib/model/parameters.js';

/** Random updates of one parent: 110,986 float32 parameters each. */
export async function writeUpdates(directory: string, count: number): Promise<void> {
  const description = describeModel('cnn', { inputShape: [28, 28, 1], outputs: 10 });
  const weights = initialWeights(description, 0);
  for (let client = 0; client < count; client++) {
    const random = randomStream(client, 'bench-update');
    await writeKerasFile(join(directory, `${client}.h5`), {
      modelConfig: kerasConfig(description),
      kerasVersion: '2.15.0',
      weights: weights.map((array) => ({
        ...array,
        values: array.values.map((value) => value + random.uniform() * 0.01),
      })),
      update: { client, round: 1, examples: 100 + client, parent: '0'.repeat(64) },
    });
  }
}
