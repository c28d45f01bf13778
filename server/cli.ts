/** `fedbatch serve`: the web page and API of a trained model. */
import { Command } from 'commander';
import { backendOption, choiceOf, type EngineFlags, engineOption } from '../lib/cli/engine-options.js';
import { isMain } from '../lib/cli/is-main.js';
import { integerOption } from '../lib/cli/options.js';
import { type ProgramContext, runProgram } from '../lib/cli/program.js';
import { type ServeOptions, serve } from './server.js';

type ServeFlags = Omit<ServeOptions, 'engine'> & EngineFlags;

/** The command. */
export function serveCommand(context: ProgramContext): Command {
  return new Command('serve')
    .description('Serve a trained model: a web page to try it, and an API for programs.')
    .requiredOption('--model <h5>', 'the Keras model file to serve')
    .option('--host <address>', 'the address to listen on; 0.0.0.0 for all of this machine', '127.0.0.1')
    .option(
      '--port <number>',
      'the port to listen on; 0 picks a free one',
      integerOption({ max: 65_535 }),
      5000,
    )
    .option('--samples <dir>', 'sample pictures (PNG) for the page; those of fedbatch by default')
    .addOption(engineOption())
    .addOption(backendOption())
    .addHelpText(
      'after',
      `
Example:
  fedbatch serve --model runs/digits/aggregated-model.h5 --port 8080
  curl -H 'Accept: application/json' -F file=@samples/digit-7-a.png http://127.0.0.1:8080/upload`,
    )
    .action(({ engine, backend, ...options }: ServeFlags) =>
      serve(
        { ...options, engine: choiceOf({ engine, ...(backend === undefined ? {} : { backend }) }) },
        context,
      ),
    );
}

if (isMain(import.meta.url)) await runProgram(serveCommand, process.argv.slice(2));
