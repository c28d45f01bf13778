/** A real server of a model that answers at once, asked by inputs: a request line, headers, an empty line and a body. */
import { Agent, request } from 'node:http';
import { DataError } from '../../../lib/core/errors.js';
import { sizeOf } from '../../../lib/core/weights.js';
import { listenAt } from '../../../lib/http/listen.js';
import { HttpProblem } from '../../../lib/http/problems.js';
import { silentReporter } from '../../../lib/observability/events.js';
import { createWebApp } from '../../../server/app.js';
import type { ModelCard } from '../../../server/models/model-card.js';
import { outputsOf, type Predictor } from '../../../server/models/predictor.js';
import type { Reshape } from '../mutate.js';
import type { FuzzTarget } from '../target.js';

const FACTS = { file: 'model.h5', sha256: 'ab'.repeat(32), engine: 'none', classes: 3 };
/** A model of a table: numbers, and categories. */
export const OF_A_TABLE: ModelCard = {
  ...FACTS,
  inputs: [
    { name: 'size', shape: [2], columns: [{ name: 'width' }, { name: 'height', missing: 1 }] },
    {
      name: 'soil',
      shape: [1],
      columns: [{ name: 'soil' }],
      categories: ['clay', 'loam'],
      takesUnknown: true,
    },
  ],
  outputs: [
    { name: 'kind', shape: [3], task: 'classification' },
    { name: 'price', shape: [1], task: 'regression' },
  ],
  signature: { input: 'size', output: 'kind' },
};
/** A model of pictures. */
export const OF_PICTURES: ModelCard = {
  ...FACTS,
  inputShape: [8, 8, 1],
  signature: { input: 'image', output: 'class' },
};

/** What a model would say does not matter here: requests are read before it, and answered after it. */
export function predictorOf(card: ModelCard): Predictor {
  const width = outputsOf(card).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return {
    card: () => card,
    predict: async (_, count) => new Float32Array(count * width).fill(1 / width),
    close: async () => undefined,
  };
}

/** The headers that are about the connection: whoever lies in these is tried by the tests of attacks. */
const OF_THE_CONNECTION =
  /^(connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;
const HEADERS_END = '\n\n';

/** Names of the inputs of `OF_A_TABLE`, with what they may be. */
export const INSTANCE = { size: [1, 2], soil: ['clay'] };

/** A server, asked by inputs of a request line, headers, an empty line and a body. */
export async function serving(card: ModelCard): Promise<Pick<FuzzTarget, 'read' | 'close'>> {
  let failure = '';
  const reporter = {
    ...silentReporter,
    error: (message: string, fields: object = {}) => {
      failure = `${message}\n${JSON.stringify(fields).replaceAll('\\n', '\n')}`;
    },
  };
  const app = createWebApp({ predictor: predictorOf(card), reporter });
  const server = await listenAt(app, { host: '127.0.0.1', port: 0 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    async read(bytes) {
      const asked = parse(Buffer.from(bytes));
      if (asked === undefined)
        throw new DataError({ file: 'input', expected: 'a request that Node sends', found: 'none' });
      const { status, text } = await send(server.url, asked, agent);
      // What the server does not tell its client, it has told its reporter.
      if (status === 500) throw new Error(`answered 500: ${failure}`);
      if (status >= 400) throw new HttpProblem(status, sentenceIn(text));
    },
    async close() {
      agent.destroy();
      await server.close();
    },
  };
}

const sentenceIn = (text: string): string => /"error":"((?:[^"\\]|\\.)*)/.exec(text)?.[1] ?? '';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Undefined for what Node's client would not send. */
function parse(bytes: Buffer): Asked | undefined {
  const end = bytes.indexOf(HEADERS_END);
  const [first = '', ...lines] = bytes.toString('latin1', 0, Math.max(0, end)).split('\n');
  const [method = '', path = '', ...others] = first.split(' ');
  if (!/^(GET|POST|PUT|HEAD|DELETE|OPTIONS)$/.test(method) || !/^\/[!-~]*$/.test(path) || others.length > 0)
    return undefined;
  const headers = lines.map((line) => line.split(/:\s*/, 2) as [string, string?]);
  const isSent = headers.every(
    ([name, value = '']) =>
      /^[\w-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value) && !OF_THE_CONNECTION.test(name),
  );
  if (!isSent) return undefined;
  const given = Object.fromEntries(headers.map(([name, value = '']) => [name, value]));
  return { method, path, headers: given, body: bytes.subarray(end + HEADERS_END.length) };
}

function send(url: string, { method, path, headers, body }: Asked, agent: Agent) {
  return new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const call = request(`${url}${path}`, {
      method,
      headers: { ...headers, 'content-length': body.length },
      agent,
    });
    call.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = [];
      response
        .on('error', reject)
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(chunks.slice(0, 4)).toString('utf8'),
          }),
        );
    });
    call.end(body);
  });
}

/** A request as bytes. */
export const requestOf = (first: string, headers: readonly string[], body: Uint8Array | string) =>
  Buffer.concat([Buffer.from([first, ...headers].join('\n') + HEADERS_END), Buffer.from(body as Uint8Array)]);
/** One with JSON. */
export const postJson = (path: string, value: unknown) =>
  requestOf(`POST ${path}`, ['Content-Type: application/json'], JSON.stringify(value));

/** What stands behind the headers, changed as JSON. */
export const bodies =
  (inner: Reshape): Reshape =>
  (bytes, ingredients) => {
    const end = bytes.indexOf(HEADERS_END);
    if (end < 0) return undefined;
    const start = end + HEADERS_END.length;
    const made = inner(bytes.subarray(start), ingredients);
    return made === undefined ? undefined : Buffer.concat([bytes.subarray(0, start), made]);
  };
