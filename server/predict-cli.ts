/** `fedbatch predict`: asks a server about a picture, or about examples. */
import { Command, Option } from 'commander';
import { integerOption, scaleOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { namedScale, USUAL_SCALE } from '../lib/federation/pixel-scale.js';
import type { PredictOptions } from './client/predict.js';

/** The command. */
export function predictCli({ signal }: ProgramContext): Command {
  return new Command('predict')
    .description(
      'Ask a server about a picture or examples: npx fedbatch serve, or any TensorFlow Serving.\n' +
        'The picture is prepared here; the answer is written to stdout as one line of JSON.',
    )
    .option('--image <file>', 'the picture: PNG, JPEG, WebP, GIF or AVIF')
    .option(
      '--input <json>',
      'examples instead of a picture: {"instances": [...]} or {"inputs": {...}}, or a file of it (.json), an npz, or a table (.csv, .parquet)',
    )
    .option('--output <csv>', 'write the answers to the examples into a CSV file, a row for each')
    .option('--host <address>', 'address of the server', '127.0.0.1')
    .option('--port <number>', 'its port for the protocol', integerOption({ min: 1, max: 65_535 }), 5000)
    .option('--model <name>', 'what the server calls the model', 'aggregated-model')
    .option('--signature-name <name>', "the model's signature", 'serving_default')
    .addOption(
      new Option('--protocol <name>', 'the protocol; by default both are tried').choices(['rest', 'grpc']),
    )
    .addOption(
      scaleOption(
        `numbers that are black and white in the model's input, e.g. -1..1 (default: what the server says, else ${USUAL_SCALE})`,
      ),
    )
    .option('--tls', 'the server answers by TLS')
    .addOption(
      new Option('--token-file <file>', 'a bearer token to show the server').env('FEDBATCH_TOKEN_FILE'),
    )
    .addHelpText(
      'after',
      `
Examples:
  npx fedbatch predict --image samples/digit-7-a.png
  npx fedbatch predict --model best-model --input '{"instances": [{"store": [3], "week": [12]}]}'
  npx fedbatch predict --model best-model --input rows.csv --output predictions.csv
  npx fedbatch predict --image samples/digit-7-a.png --protocol grpc --host serving.example --port 8500 --model mnist`,
    )
    .action(async ({ scale, ...options }: Omit<PredictOptions, 'scale'> & { readonly scale?: string }) => {
      const { askServer } = await import('./client/predict.js');
      process.stdout.write(
        `${JSON.stringify(await askServer({ ...options, ...namedScale(scale) }, signal))}\n`,
      );
    });
}

if (isMain(import.meta.url)) await runProgram(predictCli, process.argv.slice(2));
