/** Speaks MLflow's REST API 2.0 to one server: requests with a time limit, and what it means when they fail. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { messageOf } from '../../lib/core/errors.js';
import { TimeLimitError, within } from '../../lib/system/abort.js';

/** Where an MLflow server is, and who asks. */
export interface MlflowAddress {
  /** Without credentials and without a slash at its end: it stands in messages. */
  readonly url: string;
  /** The `Authorization` header, where there is one. */
  readonly authorization?: string | undefined;
}

/** What a server did not do. */
export class MlflowError extends Error {
  override readonly name = 'MlflowError';
  /** Whether the same request may work later: the server was away, late or overloaded. */
  readonly isPassing: boolean;
  /** MLflow's own word for it, e.g. `RESOURCE_DOES_NOT_EXIST`. */
  readonly code: string | undefined;

  constructor(
    message: string,
    {
      isPassing,
      code,
      ...options
    }: ErrorOptions & { readonly isPassing: boolean; readonly code?: string | undefined },
  ) {
    super(message, options);
    this.isPassing = isPassing;
    this.code = code;
  }
}

/** A server that can be asked. */
export interface MlflowServer {
  readonly url: string;
  /** Asks for something below `/api/2.0/mlflow/`, e.g. `runs/create`. @throws {MlflowError} */
  ask<T>(endpoint: string, request: object): Promise<T>;
  /** The same of what is only looked up. @throws {MlflowError} */
  look<T>(endpoint: string, request: Readonly<Record<string, string>>): Promise<T>;
  /** Sends a file to a place below `/api/2.0/mlflow-artifacts/artifacts/`. @throws {MlflowError} */
  send(place: string, file: string): Promise<void>;
}

/** A server that has not answered by then is taken for one that is away. MLflow's first answer takes seconds. */
const ANSWER_MS = 10_000;

/** Statuses of a server, or of a proxy before it, that may well answer the next time. */
const PASSING: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** So much of what a server says of its refusal is told. */
const TOLD_LETTERS = 200;

/** What ends all requests, and who hears that the server has answered one. */
interface Listening {
  readonly signal: AbortSignal;
  readonly onAnswer?: () => void;
}

/** Speaks to the server at `address`; nothing is asked for yet. */
export function mlflowServer(
  { url, authorization }: MlflowAddress,
  { signal, onAnswer = () => undefined }: Listening,
): MlflowServer {
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    'user-agent': 'fedbatch',
  };
  const call = async (path: string, initOf: (goOn: () => void) => RequestInit) => {
    try {
      return await within({ ms: ANSWER_MS, signal }, async (over, goOn) => {
        // A request that is sent on by a redirect would lose its method and its credentials.
        const response = await fetch(url + path, { ...initOf(goOn), redirect: 'manual', signal: over });
        const text = await response.text();
        if (!PASSING.includes(response.status)) onAnswer();
        if (response.ok) return text;
        throw refusal(response, text);
      });
    } catch (error) {
      if (error instanceof MlflowError) throw error;
      const isGivenUp = error instanceof TimeLimitError || signal.aborted;
      throw new MlflowError(isGivenUp ? messageOf(error) : reasonOf(error), {
        isPassing: true,
        cause: error,
      });
    }
  };
  const json = async <T>(path: string, init: RequestInit): Promise<T> => {
    const text = await call(`/api/2.0/mlflow/${path}`, () => init);
    try {
      return JSON.parse(text === '' ? '{}' : text) as T;
    } catch (cause) {
      throw new MlflowError('it answers with something else than JSON: is it an MLflow server?', {
        isPassing: false,
        cause,
      });
    }
  };
  return {
    url,
    ask: (endpoint, request) =>
      json(endpoint, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(request),
      }),
    look: (endpoint, request) => json(`${endpoint}?${new URLSearchParams(request)}`, { headers }),
    async send(place, file) {
      const { size } = await stat(file);
      await call(
        `/api/2.0/mlflow-artifacts/artifacts/${place.split('/').map(encodeURIComponent).join('/')}`,
        (goOn) => ({
          method: 'PUT',
          headers: {
            ...headers,
            'content-type': 'application/octet-stream',
            'content-length': `${size}`,
          },
          // A file that is on its way may take longer than an answer, as long as it goes on.
          body: Readable.toWeb(createReadStream(file).on('data', goOn)) as ReadableStream,
          duplex: 'half',
        }),
      );
    },
  };
}

/** What a status means. */
function refusal({ status, headers }: Response, text: string): MlflowError {
  const { error_code: code, message } = errorIn(text);
  const isPassing = PASSING.includes(status) && code !== 'INVALID_PARAMETER_VALUE';
  const said = message === undefined ? '' : `: ${oneLine(message)}`;
  if (status === 401 || status === 403) {
    return new MlflowError(
      `it refuses access (${status}): set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD`,
      { isPassing, code },
    );
  }
  if (status >= 300 && status < 400) {
    const to = oneLine(headers.get('location') ?? 'another address');
    return new MlflowError(`it sends on to ${to} (${status}): give the address that answers`, {
      isPassing,
      code,
    });
  }
  return new MlflowError(`it answers with status ${status}${said}`, { isPassing, code });
}

/** The error of MLflow in the body of an answer, where there is one. */
function errorIn(text: string): { readonly error_code?: string; readonly message?: string } {
  try {
    const { error_code: code, message } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return {
      ...(typeof code === 'string' ? { error_code: code } : {}),
      ...(typeof message === 'string' ? { message } : {}),
    };
  } catch {
    return {};
  }
}

/** What others say goes to a terminal: one line, without control characters, not endless. */
function oneLine(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return plain.length > TOLD_LETTERS ? `${plain.slice(0, TOLD_LETTERS)}…` : plain;
}

/** Why nothing was answered: fetch tells it in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string; readonly message?: string } };
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: 'there is no such host',
    ECONNRESET: 'it ends the connection',
    UND_ERR_SOCKET: 'it ends the connection',
  };
  const { code = '', message = messageOf(error) } = cause ?? {};
  return known[code] ?? (message === '' ? code : message);
}
