/** How much of real handwriting a model learns from the digits that fedbatch makes itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fedbatch, type Section, withDirectory } from './section.js';

/** Runs to compare: arguments of `fedbatch run --data digits`. */
const RUNS: readonly (readonly string[])[] = [
  ['--clients', '3', '--epochs', '2'],
  ['--clients', '3', '--epochs', '2', '--rounds', '3'],
  ['--clients', '1', '--epochs', '6'],
];

/** Trains on the generated digits alone and tests on the 10,000 test images of MNIST. */
export const benchDigits: Section = ({ data }) =>
  withDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    await fedbatch('split', '--data', data, '--clients', '1', '--out', at('mnist'));
    const rows: string[][] = [];
    for (const [index, run] of RUNS.entries()) {
      const volume = at(`run-${index}`);
      await fedbatch('run', '--data', 'digits', ...run, '--volume', volume);
      const model = join(volume, 'aggregated-model.h5');
      const files = ['--data', at('mnist/test.npz'), '--out', at('mnist.json')];
      await fedbatch('evaluate', '--model', model, ...files);
      rows.push([
        `\`${run.join(' ')}\``,
        await accuracyOf(join(volume, 'accuracy.json')),
        await accuracyOf(at('mnist.json')),
      ]);
    }
    return {
      header: ['trained on 6,000 generated digits with', 'generated test digits', 'MNIST test digits'],
      rows,
    };
  });

async function accuracyOf(report: string): Promise<string> {
  const { accuracy } = JSON.parse(await readFile(report, 'utf8')) as { readonly accuracy: number };
  return `${(accuracy * 100).toFixed(1)} %`;
}
