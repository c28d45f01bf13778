/** The client's main path: read what is asked, find out how the server speaks, ask. */
import { StageError, UsageError } from '../../lib/core/errors.js';
import type { PixelScale } from '../../lib/federation/pixel-scale.js';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import { askByGrpc } from './grpc-client.js';
import type { PictureAnswer } from './predict-image.js';
import type { AnswersTable, NumbersAnswer } from './predict-numbers.js';
import { askByRest } from './rest-client.js';
import {
  OtherProtocolError,
  type Question,
  type ServingClient,
  type ServingClientOptions,
} from './serving-client.js';

/** Settings of `fedbatch predict`. */
export interface PredictOptions extends Omit<ServingClientOptions, 'token' | 'signal'> {
  /** A picture; or examples: JSON as `:predict` takes it, or a file of it, an npz, or a table as CSV or Parquet. */
  readonly image?: string | undefined;
  readonly input?: string | undefined;
  /** The CSV file that the answers are written to. */
  readonly output?: string | undefined;
  /** Found out by trying where it is not given. */
  readonly protocol?: 'rest' | 'grpc';
  readonly tokenFile?: string;
  /** Which numbers are black and white in the model's input; by default what the server says, else 0 and 1. */
  readonly scale?: PixelScale | undefined;
}

/** What was written, and of how many examples. */
interface WrittenAnswers {
  readonly output: string;
  readonly examples: number;
}

/** What a server said; or where it was written. */
export type PredictAnswer = PictureAnswer | NumbersAnswer | WrittenAnswers;

/**
 * Asks a server about the picture in a file, or about examples, and writes the answers where `output` names a file.
 *
 * @throws {DataError} when the picture or the examples cannot be read, or the model does not take them
 * @throws {UsageError} when neither is given, or both
 * @throws {StageError} when the server cannot be reached, or refuses
 */
export async function askServer(options: PredictOptions, signal: AbortSignal): Promise<PredictAnswer> {
  const { protocol, tokenFile } = options;
  const question = await readQuestion(options);
  const token =
    tokenFile === undefined
      ? undefined
      : Buffer.from(await readFileBytes(tokenFile, 'a file with a token'))
          .toString('utf8')
          .trim();
  const settings = { ...options, signal, ...(token === undefined ? {} : { token }) };
  const address = `${options.host}:${options.port}`;
  const ask = async (client: ServingClient): Promise<PredictAnswer> => {
    try {
      const answer = await question(client, address);
      return 'csv' in answer ? await written(answer, options.output ?? '') : answer;
    } finally {
      client.close();
    }
  };
  if (protocol === 'grpc') return ask(askByGrpc(settings));
  if (protocol === 'rest') return ask(askByRest(settings));
  return ask(askByRest(settings)).catch((notRest: unknown) => {
    if (!(notRest instanceof OtherProtocolError)) throw notRest;
    return ask(askByGrpc(settings)).catch((error: unknown) => {
      if (!(error instanceof OtherProtocolError)) throw error;
      const what = `${address}: what answers there speaks neither HTTP nor gRPC; check --port and --tls.`;
      throw new StageError('predict', what, { cause: error });
    });
  });
}

async function written({ csv, count }: AnswersTable, output: string): Promise<WrittenAnswers> {
  await writeFileAtomic(output, csv);
  return { output, examples: count };
}

/** Reads what is asked; of the two only that is loaded which is needed: pictures take a library of their own. */
async function readQuestion({
  image,
  input,
  scale,
  output,
}: PredictOptions): Promise<Question<PictureAnswer | NumbersAnswer | AnswersTable>> {
  if (image !== undefined && output !== undefined)
    throw new UsageError(
      '--output is for examples that --input gives; the answer to --image goes to stdout.',
    );
  if (image !== undefined && input === undefined) {
    const { pictureQuestion } = await import('./predict-image.js');
    return pictureQuestion(image, scale);
  }
  if (input !== undefined && image === undefined) {
    const { numbersQuestion } = await import('./predict-numbers.js');
    return numbersQuestion(input, { isCsv: output !== undefined });
  }
  throw new UsageError('Expected either --image with a picture or --input with numbers or a table.');
}
