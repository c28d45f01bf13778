/** What can go wrong with a request: the errors, and the status code and sentence that the client is told. */

/** A failure to answer to the client; its message is meant for them. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  /** Headers that go with the answer, e.g. `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    options: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options);
    this.status = status;
    this.headers = options.headers ?? {};
  }
}

/** A value, or what the client is told in its place: as data, which go from process to process. */
export type PlainAnswer<Value> =
  | { readonly value: Value }
  | { readonly status: number; readonly message: string };

/** The same of a reading. @throws {Error} what is no problem of the request */
export async function plainAnswer<Value>(read: () => Promise<Value>): Promise<PlainAnswer<Value>> {
  try {
    return { value: await read() };
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    return { status: error.status, message: error.message };
  }
}

/** And back. @throws {HttpProblem} */
export function valueIn<Value>(answer: PlainAnswer<Value>): Value {
  if ('value' in answer) return answer.value;
  throw new HttpProblem(answer.status, answer.message);
}

/** The model cannot answer now; asking again later may help. */
export class PredictorUnavailableError extends Error {
  override readonly name = 'PredictorUnavailableError';
}

/** More is asked than can be answered soon; asking again later does help. */
export class OverloadedError extends PredictorUnavailableError {}

/** Any failure as the problem that its client is told; what is the server's own fault is not told in detail. */
export function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof PredictorUnavailableError) {
    return new HttpProblem(503, error.message, { cause: error, headers: { 'Retry-After': '1' } });
  }
  // Express's own refusals (a malformed address, a range that cannot be served) carry their status.
  const status = error instanceof Error && 'status' in error ? Number(error.status) : Number.NaN;
  if (status === 404) return new HttpProblem(404, 'There is nothing at this address.', { cause: error });
  if (status >= 400 && status < 500)
    return new HttpProblem(status, 'The request is malformed.', { cause: error });
  return new HttpProblem(500, 'Something went wrong in the server; its log says more.', { cause: error });
}

/** A 400 that says what was expected and what was found. */
export function bad(expected: string, found: string): HttpProblem {
  return new HttpProblem(400, `Expected ${expected}, found ${found}.`);
}
