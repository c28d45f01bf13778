/** How a server answers: JSON and bytes; failures in JSON or HTML as the client asked for, with a sentence and never a stack. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, Express, Request, RequestHandler } from 'express';
import { messageOf } from '../core/errors.js';
import type { Reporter } from '../observability/events.js';
import { HttpProblem, toProblem } from './problems.js';

/** Whether a client asked for HTML rather than JSON; who asks for anything gets JSON. */
export function wantsHtml(request: Request): boolean {
  return request.accepts(['json', 'html']) === 'html';
}

/** A request's id: the one that a proxy gave it, where that looks like one, or a new one. */
export function chooseRequestId(given: unknown): string {
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** JSON as an answer calls it. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers with JSON. */
export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  sendBytes(response, Buffer.from(JSON.stringify(value)), { status, type: JSON_TYPE });
}

/** Answers with bytes. */
export function sendBytes(
  response: ServerResponse,
  bytes: Uint8Array,
  {
    status = 200,
    type,
    headers = {},
  }: { status?: number; type: string; headers?: Readonly<Record<string, string>> },
): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(bytes);
}

/** Gives a request its id, taken over from a proxy where it sent one, and lets the answer carry it. */
export function assignRequestId({ headers }: IncomingMessage, response: ServerResponse): string {
  const id = chooseRequestId(headers['x-request-id']);
  response.setHeader('X-Request-Id', id);
  return id;
}

/** Answers the methods of `handlers` at `path`, and any other with 405 and the list of these. */
export function route(
  app: Express,
  path: string,
  handlers: Readonly<Partial<Record<'get' | 'post', readonly RequestHandler[]>>>,
): void {
  if (handlers.get) app.get(path, ...handlers.get);
  if (handlers.post) app.post(path, ...handlers.post);
  const allowed = [handlers.get && ['GET', 'HEAD'], handlers.post && ['POST']].flatMap(
    (methods) => methods ?? [],
  );
  app.all(path, (request) => {
    throw new HttpProblem(405, `${request.method} is not allowed here; use ${allowed.join(' or ')}.`, {
      headers: { Allow: allowed.join(', ') },
    });
  });
}

/** Answers what no route has taken. */
export const notFound: RequestHandler = (request) => {
  throw new HttpProblem(404, `There is nothing at ${request.path}.`);
};

/** Writes a problem as an HTML page. */
type ProblemPage = (problem: HttpProblem, request: Request) => string;

/** Answers every failure. Failures of the server itself are reported with the id of their request. */
export function answerProblems(reporter: Reporter, toPage: ProblemPage): ErrorRequestHandler {
  // Express knows by the number of parameters that this is for failures.
  return (error: unknown, request, response, _next) => {
    const { problem, answer } = explain(reporter, error, { path: request.path, response });
    // The client has gone, or the answer has begun: all that is left is to close.
    if (response.headersSent || response.destroyed) return void response.destroy();
    response.status(problem.status).set(problem.headers).set('Cache-Control', 'no-store').vary('Accept');
    if (wantsHtml(request)) response.type('html').send(toPage(problem, request));
    else response.json(answer);
  };
}

/** Answers a failure in JSON where no framework is at hand. */
export function answerProblem(
  reporter: Reporter,
  error: unknown,
  { path, response }: { readonly path: string; readonly response: ServerResponse },
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { problem, answer } = explain(reporter, error, { path, response });
  for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
  sendJson(response, answer, problem.status);
}

/** What the client is told; what the server's log is told beside it. */
function explain(
  reporter: Reporter,
  error: unknown,
  { path, response }: { readonly path: string; readonly response: ServerResponse },
) {
  const problem = toProblem(error);
  const requestId = response.getHeader('X-Request-Id');
  const { status, message } = problem;
  // To be busy is no failure, and an overloaded server had better not write a line for each request.
  if (status >= 500 && status !== 503) report(reporter, error, { requestId, path, status });
  return { problem, answer: { error: message, status, requestId } };
}

function report(reporter: Reporter, error: unknown, fields: Readonly<Record<string, unknown>>): void {
  const message = messageOf(error);
  const stack = error instanceof Error && !(error instanceof HttpProblem) ? error.stack : undefined;
  reporter.error(`A request failed: ${message}`, { ...fields, ...(stack === undefined ? {} : { stack }) });
}
