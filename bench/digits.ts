/** How much of real handwriting a model learns from the digits that fedbatch makes itself. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchOptions, fedbatch, type Table } from './sections.js';

/** Runs to compare: arguments of `fedbatch run --data digits`. */
const RUNS: readonly (readonly string[])[] = [
  ['--clients', '3', '--epochs', '2'],
  ['--clients', '3', '--epochs', '2', '--rounds', '3'],
  ['--clients', '1', '--epochs', '6'],
];

/** Trains on the generated digits alone and tests on the 10,000 test images of MNIST. */
export async function benchDigits({ data }: BenchOptions): Promise<Table> {
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-bench-'));
  try {
    await fedbatch('split', '--data', data, '--n-container', '1', '--savedir', join(directory, 'mnist'));
    const rows: string[][] = [];
    for (const [index, run] of RUNS.entries()) {
      const volume = join(directory, `run-${index}`);
      await fedbatch('run', '--data', 'digits', ...run, '--volume', volume);
      const model = join(volume, 'aggregated-model.h5');
      const report = join(directory, 'mnist.json');
      await fedbatch(
        'evaluate',
        '--modelpath',
        model,
        '--data',
        join(directory, 'mnist', 'test.npz'),
        '--savefile',
        report,
      );
      rows.push([
        `\`${run.join(' ')}\``,
        await accuracyOf(join(volume, 'accuracy.json')),
        await accuracyOf(report),
      ]);
    }
    return {
      header: ['trained on 6,000 generated digits with', 'generated test digits', 'MNIST test digits'],
      rows,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function accuracyOf(report: string): Promise<string> {
  const { accuracy } = JSON.parse(await readFile(report, 'utf8')) as { readonly accuracy: number };
  return `${(accuracy * 100).toFixed(1)} %`;
}
