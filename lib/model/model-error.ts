/** What is wrong with a model, and how it is told of the file that the model lies in. */
import { DataError, ExitCode, FedbatchError } from '../core/errors.js';

/** A model that cannot be built: layers that do not fit together, or a kind that this engine does not know. */
export class ModelError extends FedbatchError {
  override readonly name = 'ModelError';
  readonly exitCode = ExitCode.data;
}

/** What is wrong with a model, told of its file; other errors as they are. */
export function inFile(error: unknown, file: string): unknown {
  if (!(error instanceof ModelError)) return error;
  const expected = 'a model of layers that fedbatch knows';
  return new DataError({ file, expected, found: error.message }, { cause: error });
}

/**
 * The session that an engine makes of the model in a file.
 *
 * @throws {DataError} naming the file where the engine cannot build the model
 */
export async function sessionOf<Session>(path: string, session: Promise<Session>): Promise<Session> {
  return await session.catch((error: unknown) => {
    throw inFile(error, path);
  });
}
