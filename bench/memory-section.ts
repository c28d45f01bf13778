/** The peak memory of each stage beside the size of the model's file, for models of several sizes. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../lib/observability/format.js';
import { interleave, type ProcessSample, sampleProcess } from './measure.js';
import { availablePeers, prepareFlower, prepareH5py, prepareNvflare } from './peers.js';
import { medianOf, type Table } from './report.js';
import { type BenchOptions, fedbatch, peerScript, withDirectory } from './section.js';

const CLIENTS = [0, 1, 2];
/** Units of the hidden layers, by what they come to. */
const MODELS = { '1.0 million': '1000,250', '5.0 million': '2000,1700', '25.0 million': '4900,4300' };
/** Too large to be trained for each of its updates: models of other seeds stand for these. */
const LARGE = ['244 million', '15000,15500'] as const;
/** Whose mean of the same updates stands beside ours, by `bench/peers/<key>_mean.py`, and in what precision it adds. */
const MEANS = { h5py: 'float64', nvflare: 'float32', flower: 'float32' };

/** Trainer, aggregator and evaluator as whole processes, on models of 1, 5, 25 and 244 million parameters. */
export async function benchMemory({ rounds, journal }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    await fedbatch('split', '--data', 'digits', '--clients', `${CLIENTS.length}`, '--out', at('data'));
    const { peers, notes } = await availablePeers({
      h5py: prepareH5py,
      nvflare: prepareNvflare,
      flower: prepareFlower,
    });
    const average = (updates: readonly string[], ...args: readonly string[]) => ({
      [`aggregate ${updates.length} updates`]: () =>
        fedbatch('aggregate', ...updates, ...args, '--out', at('next.h5')),
      ...Object.fromEntries(
        Object.entries(peers).map(([key, { name, command }]) => [
          `the same mean by ${name} in ${MEANS[key as keyof typeof MEANS]}`,
          () => sampleProcess(command, [peerScript(`${key}_mean.py`), at('mean.h5'), ...updates]),
        ]),
      ),
    });
    const train = (model: string, client: number, optimizer: string, out: string) =>
      fedbatch(
        ...['train', '--data', at(`data/${client}.npz`), '--client', `${client}`, '--init', model],
        ...['--optimizer', optimizer, '--batch', '32', '--local-steps', '3'],
        ...['--threads', '2', '--out', out],
      );
    const training = (model: string) => ({
      'train, 3 steps of 32, SGD': () => train(model, 0, 'sgd', at('sgd.h5')),
      'train, 3 steps of 32, Adam': () => train(model, 0, 'adam', at('adam.h5')),
    });
    const rows: (readonly string[])[] = [];
    for (const [parameters, hidden] of Object.entries(MODELS)) {
      const model = at(`${hidden}.h5`);
      const kind = ['--model', 'mlp', '--hidden', hidden];
      await fedbatch('init', '--data', at('data/0.npz'), ...kind, '--out', model);
      const updates = CLIENTS.map((client) => at(`updates-${hidden}/${client}.h5`));
      for (const client of CLIENTS) await train(model, client, 'sgd', updates[client] as string);
      const samples = await interleave(
        { rounds, journal, name: `memory, ${parameters}` },
        {
          ...training(model),
          ...average(updates, '--parent', model),
          'test on 600 images': () => fedbatch('evaluate', '--model', model, '--data', at('data/test.npz')),
        },
      );
      rows.push(...memoryRows(samples, { parameters, fileBytes: (await stat(model)).size }));
    }
    const [parameters, hidden] = LARGE;
    const models = ['global', ...CLIENTS].map((name) => at(`large-${name}.h5`));
    for (const [seed, out] of models.entries())
      await fedbatch(
        ...['init', '--data', at('data/0.npz'), '--model', 'mlp', '--hidden', hidden],
        ...['--seed', `${seed}`, '--out', out],
      );
    const [global = '', ...updates] = models;
    const name = `memory, ${parameters}`;
    const samples = await interleave(
      { rounds, journal, name },
      { ...training(global), ...average(updates, '--parent', global) },
    );
    rows.push(...memoryRows(samples, { parameters, fileBytes: (await stat(global)).size }));
    const header = ['parameters', 'file', 'stage', 'peak memory', 'times the file', 'processor', 'wall time'];
    return { header, rows, notes };
  });
}

/** A row for each stage. */
export function memoryRows(
  samples: Readonly<
    Record<string, readonly Pick<ProcessSample, 'seconds' | 'peakBytes' | 'ownProcessorSeconds'>[]>
  >,
  { parameters, fileBytes }: { readonly parameters: string; readonly fileBytes: number },
): readonly (readonly string[])[] {
  return Object.entries(samples).map(([stage, each]) => {
    const peak = medianOf(each, ({ peakBytes }) => peakBytes);
    const seconds = medianOf(each, (sample) => sample.seconds);
    const processor = medianOf(each, (sample) => sample.ownProcessorSeconds);
    return [
      ...[parameters, formatBytes(fileBytes), stage, formatBytes(peak)],
      ...[`${(peak / fileBytes).toFixed(1)}×`, `${processor.toFixed(1)} s`, `${seconds.toFixed(1)} s`],
    ];
  });
}
