/** The server's main path: load the model, listen, answer until told to stop, finish what was begun. */
import { existsSync } from 'node:fs';
import type { ProgramContext } from '../lib/cli/program.js';
import type { EngineChoice } from '../lib/federation/engine-choice.js';
import { createApp } from './app.js';
import { listen } from './listen.js';
import { PACKAGED_SAMPLES, readSamples } from './samples.js';
import { createWorkerPredictor } from './worker-predictor.js';

/** Settings of `fedbatch serve`. */
export interface ServeOptions {
  /** The Keras model file. */
  readonly model: string;
  readonly host: string;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
  readonly engine: EngineChoice;
  /** Directory of sample pictures; those of the package by default. */
  readonly samples?: string;
}

/** One prediction takes a fraction of a millisecond; a second thread would not pay for its hand-over. */
const PREDICTION_THREADS = 1;

/**
 * Serves a model until `signal` aborts; writes the address to stdout once it answers.
 *
 * @throws {ModelRefusedError} when the model is missing or cannot be served
 * @throws {UsageError} when the address or port cannot be had
 */
export async function serve(options: ServeOptions, { reporter, signal }: ProgramContext): Promise<void> {
  const samples = await gallery(options.samples);
  const predictor = await createWorkerPredictor({
    modelPath: options.model,
    engine: options.engine,
    threads: PREDICTION_THREADS,
    reporter,
  });
  try {
    const server = await listen(createApp({ predictor, samples, reporter }), options);
    const engine = predictor.card()?.engine ?? 'no engine';
    const { why } = predictor;
    reporter.info(`The model answers on ${engine} (${why}).`, { event: 'engine', engine, why });
    process.stdout.write(`Listening on ${server.url}\n`);
    await aborted(signal);
    reporter.info('Stopping: finishing the requests that have begun.');
    await server.close();
  } finally {
    await predictor.close();
  }
}

/** A package without its samples still serves; a directory that was asked for must be there. */
function gallery(directory: string | undefined) {
  if (directory === undefined && !existsSync(PACKAGED_SAMPLES)) return [];
  return readSamples(directory ?? PACKAGED_SAMPLES);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
