/** What is wrong with a model that lies in a file is told with the file's name. */
import { DataError } from '../core/errors.js';
import { ModelError } from './parameters.js';

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

/** What is wrong with a model, told of its file; other errors as they are. */
export function inFile(error: unknown, file: string): unknown {
  if (!(error instanceof ModelError)) return error;
  const expected = 'a Sequential model of layers that fedbatch knows';
  return new DataError({ file, expected, found: error.message }, { cause: error });
}
