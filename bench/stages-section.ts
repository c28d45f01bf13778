/** The stages around training, each as a whole process. */
import { join } from 'node:path';
import { randomStream } from '../lib/core/random.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { kerasConfig } from '../lib/model/keras/keras-model.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { initialWeights } from '../lib/model/parameters.js';
import { formatBytes } from '../lib/observability/format.js';
import { interleave } from './measure.js';
import { medianOf, type Table } from './report.js';
import { type BenchOptions, fedbatch, withDirectory } from './section.js';

/** The stages around training as whole processes: split, one trainer, aggregation, accuracy test. */
export async function benchStages({ data, rounds, journal }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    await writeUpdates(at('100'), 100);
    await writeUpdates(at('1000'), 1000);
    const shard = at('shards/0.npz');
    const split = (target: string) => fedbatch('split', '--data', data, '--clients', '3', '--out', target);
    await split(at('shards'));
    await fedbatch('init', '--data', shard, '--out', at('init.h5'));
    let fresh = 0;
    const samples = await interleave(
      { rounds, journal, name: 'stages' },
      {
        'split 60,000 images into 3 shards': () => split(at(`split-${fresh++}`)),
        'aggregate 100 updates of 0.5 MB': () =>
          fedbatch('aggregate', '--dir', at('100'), '--out', at('100.h5')),
        'aggregate 1,000 updates of 0.5 MB': () =>
          fedbatch('aggregate', '--dir', at('1000'), '--out', at('1000.h5')),
        'train 20,000 images, 1 epoch, batch 100, 2 threads': () =>
          fedbatch('train', '--data', shard, '--epochs', '1', '--threads', '2', '--out', at('0.h5')),
        'test 10,000 images, 2 threads': () =>
          fedbatch('evaluate', '--model', at('init.h5'), '--data', at('shards/test.npz'), '--threads', '2'),
      },
    );
    const rows = Object.entries(samples).map(([name, each]) => [
      name,
      `${medianOf(each, ({ seconds }) => seconds).toFixed(2)} s`,
      formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
    ]);
    return { header: ['stage, as a whole process', 'wall time', 'peak memory'], rows };
  });
}

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
