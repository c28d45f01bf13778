/** `fedbatch dataset`: makes, fetches and lists the datasets that have a name. */
import { stat } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { sayResult } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import type { DatasetResult } from '../lib/formats/stage-results.js';
import type { Reporter } from '../lib/observability/events.js';
import { formatBytes, formatSeconds } from '../lib/observability/format.js';
import { DEFAULT_DIGITS, DIGITS } from './digits/generate.js';
import { MNIST, mnistPath, provideMnist } from './mnist.js';
import { cacheDirectory, type Provided, provideDigits, writeDigits } from './npz-cache.js';
import { DATASET_LIST, DATASETS } from './resolve.js';

/** The command of the datasets; alone, it lists them. */
export function datasetCli(context: ProgramContext): Command {
  return new Command('dataset')
    .description(
      'Make or fetch a dataset that has a name, or look at data of your own; alone, list those with a name.',
    )
    .usage(`[options] [${[...DATASETS.map(({ name }) => name), 'import'].join('|')}]`)
    .argument('[name]', `one of ${DATASET_LIST}`)
    .addCommand(digitsCommand(context))
    .addCommand(mnistCommand(context))
    .addCommand(importCommand(context))
    .addHelpText(
      'after',
      '\nExamples:\n  npx fedbatch dataset\n  npx fedbatch dataset digits --out digits.npz --seed 7\n' +
        '  npx fedbatch dataset mnist\n\nnpx fedbatch run --data NAME and npx fedbatch split --data NAME do this by themselves.',
    )
    .action(async (name: string | undefined) => {
      if (name !== undefined) throw new UsageError(`There is no dataset ${name}; there are ${DATASET_LIST}.`);
      process.stdout.write(await listDatasets());
    });
}

interface DigitsFlags {
  readonly out?: string;
  readonly seed: number;
  readonly train: number;
  readonly test: number;
}

function digitsCommand({ reporter, signal }: ProgramContext): Command {
  const count = integerOption({ min: DIGITS, max: 1_000_000 });
  return new Command('digits')
    .summary('generate handwritten-like digits')
    .description(
      'Generate handwritten-like digits, 28 × 28, white on black, fitted and centred the way MNIST is.',
    )
    .option('--out <npz>', 'file to write; without it, the cache, where --data digits looks')
    .option('--seed <number>', 'seed of everything random', integerOption(), DEFAULT_DIGITS.seed)
    .option('--train <count>', 'number of training examples', count, DEFAULT_DIGITS.train)
    .option('--test <count>', 'number of held-out examples, by other hands', count, DEFAULT_DIGITS.test)
    .addHelpText(
      'after',
      '\nExample:\n  npx fedbatch dataset digits --out digits.npz --train 60000 --test 10000',
    )
    .action(async ({ out, seed, train, test }: DigitsFlags) => {
      const startedAt = performance.now();
      const settings = { seed, train, test };
      if (out === undefined) {
        const place = { reporter, signal, cacheDirectory: cacheDirectory() };
        await tell(await provideDigits(settings, place), { startedAt, reporter });
      } else {
        await writeDigits(out, settings, { reporter, signal });
        await tell({ file: out, skipped: false }, { startedAt, reporter });
      }
    });
}

interface ImportFlags {
  readonly target?: string;
  readonly client?: string;
  readonly out?: string;
  readonly yaml?: string;
  readonly json?: true;
}

function importCommand({ reporter }: ProgramContext): Command {
  return new Command('import')
    .summary('look at data, and make an npz and a data.yaml of them')
    .description(
      'Look at data and tell what they are understood to be; with --out or --yaml write it down.\n' +
        'Data: a CSV or Parquet file or a folder of them, pictures in a folder for each class, IDX files, or a data.yaml.',
    )
    .argument('<source>', 'the data')
    .option('--target <column>', 'column of what the model is to answer; without it, a likely one')
    .option('--client <column>', 'column that says whose a row is')
    .option('--out <npz>', 'dataset to write, with a description (yaml) beside it')
    .option('--yaml <yaml>', 'description to write: edit it, and give it to --data')
    .option('--json', 'tell it as a line of JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  npx fedbatch dataset import sales.csv\n' +
        '  npx fedbatch dataset import sales.csv --target price --client shop --yaml data.yaml\n' +
        '  npx fedbatch dataset import data.yaml --out sales.npz',
    )
    .action(async (source: string, { out: npz, json, ...flags }: ImportFlags) => {
      // Readers and schemas are loaded only when there is work, so that --help comes at once.
      const { importData, importText } = await import('./import.js');
      const result = await importData({ source, npz, ...flags }, { reporter });
      reporter.close();
      sayResult(result, () => importText(result, source), json);
    });
}

interface MnistFlags {
  readonly out?: string;
  readonly url: string;
  readonly sha256: string;
}

function mnistCommand({ reporter, signal }: ProgramContext): Command {
  return new Command('mnist')
    .summary('download MNIST')
    .description(
      'Download MNIST: 60000 training and 10000 test digits. An interrupted download resumes where it\n' +
        'stopped, from FILE.part; FILE appears when it is whole and its sha256 holds.',
    )
    .option('--out <npz>', 'file to write; without it, the cache, where --data mnist looks')
    .option('--url <url>', 'where the file is (http or https), for instance on a mirror', parseUrl, MNIST.url)
    .option('--sha256 <hex>', 'what the file must hash to', parseSha256, MNIST.sha256)
    .addHelpText(
      'after',
      '\nExample:\n  npx fedbatch dataset mnist --out mnist.npz\n\n' +
        "HTTPS_PROXY is heeded only from Node 24 on, with NODE_USE_ENV_PROXY=1; Node's fetch has no proxy before.",
    )
    .action(async ({ out, url, sha256 }: MnistFlags) => {
      const startedAt = performance.now();
      const file = out ?? mnistPath(cacheDirectory());
      await tell(await provideMnist({ url, sha256, file }, { reporter, signal }), { startedAt, reporter });
    });
}

interface Telling {
  readonly startedAt: number;
  readonly reporter: Reporter;
}

/** A sentence for people, and one line of JSON: what a script wants to know of the file. */
async function tell({ file, skipped }: Provided, { startedAt, reporter }: Telling): Promise<void> {
  const { size: sizeBytes } = await stat(file);
  const sha256 = await sha256OfFile(file, 'a dataset');
  const seconds = Math.round(performance.now() - startedAt) / 1000;
  reporter.info(
    skipped
      ? `Nothing to do: ${file} is there and whole.`
      : `Wrote ${file} (${formatBytes(sizeBytes)}) in ${formatSeconds(seconds)}.`,
  );
  const result: DatasetResult = { file, sizeBytes, sha256, seconds, skipped };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function listDatasets(): Promise<string> {
  const directory = cacheDirectory();
  const blocks = DATASETS.map(async ({ name, summary, path }) => {
    const file = path(directory);
    const size = await stat(file).then(
      (found) => formatBytes(found.size),
      () => 'not there yet',
    );
    return `${name.padEnd(8)}${summary}\n${' '.repeat(8)}${file} (${size})\n`;
  });
  return (await Promise.all(blocks)).join('');
}

function parseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError(`Expected an http or https address, found "${text}".`);
  }
  return text;
}

function parseSha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new InvalidArgumentError(`Expected 64 hexadecimal digits, found "${text}".`);
  }
  return text.toLowerCase();
}

if (isMain(import.meta.url)) await runProgram(datasetCli, process.argv.slice(2));
