/** The API's routes, answered without a framework in between: they are the hot ones. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { packageVersion } from '../../lib/cli/version.js';
import { JSON_TYPE, sendBytes, sendJson } from '../../lib/http/answers.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { HEADER_LENGTH } from '../codecs/inference-json.js';
import type { BodyReader } from './exchange.js';
import type { ApiParts } from './model-rows.js';
import { infer, modelMetadata, parseInferencePath, serverMetadata } from './open-inference.js';
import { openApiDocument } from './openapi.js';
import { classifyExamples, metadataOf, parseModelPath, predict, statusOf } from './tensorflow-rest.js';

/** What the API is made of. */
interface ApiOptions extends ApiParts {
  readonly bodies: BodyReader;
}

/** Answers a request of the API. Undefined where the address is none of its. */
export type ApiHandler = (
  path: string,
) => ((request: IncomingMessage, response: ServerResponse) => Promise<void> | void) | undefined;

/** Makes the handler. What it throws is for the caller to answer. */
export function createApiHandler({ bodies, ...parts }: ApiOptions): ApiHandler {
  const { models } = parts;
  return (path) => {
    if (path.startsWith('/v1/')) {
      const parsed = parseModelPath(path);
      if (parsed === undefined) return malformed;
      switch (parsed.verb) {
        case 'predict':
        case 'classify': {
          const answer = parsed.verb === 'predict' ? predict : classifyExamples;
          return post((request, response) =>
            bodies.use(request, async (body) =>
              sendBytes(response, await answer(parts, parsed, body), { type: JSON_TYPE }),
            ),
          );
        }
        case 'metadata':
          return get((response) => sendJson(response, metadataOf(models, parsed)));
        case 'status':
          return get((response) => sendJson(response, statusOf(models, parsed)));
      }
    }
    if (path === '/openapi.json')
      return get((response) => sendJson(response, openApiDocument({ models, version: packageVersion() })));
    if (path === '/v2' || path === '/v2/')
      return get((response) => sendJson(response, serverMetadata(packageVersion())));
    return path.startsWith('/v2/') ? openInference(path) : undefined;
  };

  function openInference(path: string): ReturnType<ApiHandler> {
    const isReady = () => models.card() !== undefined;
    if (path === '/v2/health/live') return get((response) => sendJson(response, { live: true }));
    if (path === '/v2/health/ready')
      return get((response) => sendJson(response, { ready: isReady() }, isReady() ? 200 : 503));
    const parsed = parseInferencePath(path);
    if (parsed === undefined) return malformed;
    switch (parsed.verb) {
      case 'metadata':
        return get((response) => sendJson(response, modelMetadata(models, parsed)));
      case 'ready':
        return get((response) => {
          // Fails as an inference would.
          modelMetadata(models, parsed);
          sendJson(response, { name: models.name, ready: true });
        });
      case 'infer':
        return post((request, response) =>
          bodies.use(request, async (body) => {
            const header = request.headers[HEADER_LENGTH.toLowerCase()];
            const given = Array.isArray(header) ? header[0] : header;
            const { bytes, headerLength } = await infer(parts, parsed, { body, headerLength: given });
            if (headerLength === undefined) return sendBytes(response, bytes, { type: JSON_TYPE });
            const headers = { [HEADER_LENGTH]: String(headerLength) };
            sendBytes(response, bytes, { type: 'application/octet-stream', headers });
          }),
        );
    }
  }
}

function get(answer: (response: ServerResponse) => void) {
  return (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw notAllowed(request, 'GET, HEAD');
    answer(response);
  };
}

function post(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>) {
  return (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== 'POST') throw notAllowed(request, 'POST');
    return answer(request, response);
  };
}

function notAllowed({ method }: IncomingMessage, allowed: string): HttpProblem {
  return new HttpProblem(405, `${method} is not allowed here; use ${allowed.replace(', ', ' or ')}.`, {
    headers: { Allow: allowed },
  });
}

function malformed({ method, url }: IncomingMessage): never {
  throw new HttpProblem(404, `Malformed request: ${method} ${url}`);
}
