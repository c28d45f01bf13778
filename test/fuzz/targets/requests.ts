/** Requests: bodies of the HTTP APIs, forms with pictures and tables, messages of gRPC. The server is the real one. */
import { Agent, request } from 'node:http';
import { sizeOf } from '../../../lib/core/weights.js';
import { listenAt } from '../../../lib/http/listen.js';
import { HttpProblem } from '../../../lib/http/problems.js';
import { silentReporter } from '../../../lib/observability/events.js';
import { createWebApp } from '../../../server/app.js';
import { createCodecs } from '../../../server/codecs/codecs.js';
import { DT_FLOAT, DT_STRING } from '../../../server/codecs/predict-message.js';
import { serviceDefinition } from '../../../server/grpc/messages.js';
import { answerPredict } from '../../../server/grpc/prediction-service.js';
import type { ModelCard } from '../../../server/models/model-card.js';
import { outputsOf, type Predictor } from '../../../server/models/predictor.js';
import { singleModel } from '../../../server/models/served-models.js';
import type { Reshape } from '../mutate.js';
import { jsonValues, oneOf, protobufFields, wordsOf } from '../reshape.js';
import type { FuzzTarget, MakeTarget } from '../target.js';
import { PICTURE_WORDS, pictureSeeds } from './pictures.js';

const FACTS = { file: 'model.h5', sha256: 'ab'.repeat(32), engine: 'none', classes: 3 };
/** A model of a table: numbers, and categories. */
const OF_A_TABLE: ModelCard = {
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
const OF_PICTURES: ModelCard = {
  ...FACTS,
  inputShape: [8, 8, 1],
  signature: { input: 'image', output: 'class' },
};

/** What a model would say does not matter here: requests are read before it, and answered after it. */
function predictorOf(card: ModelCard): Predictor {
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

/** A server, asked by inputs of a request line, headers, an empty line and a body. */
async function serving(card: ModelCard): Promise<Pick<FuzzTarget, 'read' | 'close'>> {
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
      if (asked === undefined) return;
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

const requestOf = (first: string, headers: readonly string[], body: Uint8Array | string) =>
  Buffer.concat([Buffer.from([first, ...headers].join('\n') + HEADERS_END), Buffer.from(body as Uint8Array)]);
const postJson = (path: string, value: unknown) =>
  requestOf(`POST ${path}`, ['Content-Type: application/json'], JSON.stringify(value));

/** What stands behind the headers, changed as JSON. */
const bodies =
  (inner: Reshape): Reshape =>
  (bytes, ingredients) => {
    const end = bytes.indexOf(HEADERS_END);
    if (end < 0) return undefined;
    const start = end + HEADERS_END.length;
    const made = inner(bytes.subarray(start), ingredients);
    return made === undefined ? undefined : Buffer.concat([bytes.subarray(0, start), made]);
  };

const instance = { size: [1, 2], soil: ['clay'] };
const inputs = [
  { name: 'size', shape: [1, 2], datatype: 'FP32', data: [1, 2] },
  { name: 'soil', shape: [1, 1], datatype: 'BYTES', data: ['clay'] },
];
/** Numbers behind the JSON of an inference request. */
const binaryHead = JSON.stringify({
  inputs: [
    { name: 'size', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
    { name: 'soil', shape: [1, 1], datatype: 'INT64', parameters: { binary_data_size: 8 } },
  ],
  outputs: [{ name: 'kind', parameters: { binary_data: true } }],
});

/** The JSON APIs, and addresses of all kinds. */
export const http: MakeTarget = async () => ({
  seeds: [
    postJson('/v1/models/model:predict', { instances: [instance] }),
    postJson('/v1/models/model/versions/1:predict', { inputs: { size: [[1, 2]], soil: [[1]] } }),
    postJson('/v1/models/model:predict', { signature_name: 'serving_default', instances: [[1, 2, 1]] }),
    postJson('/v1/models/model:classify', { examples: [{ size: [1, 2], soil: [1] }] }),
    postJson('/v2/models/model/infer', { id: 'x', inputs, outputs: [{ name: 'price' }] }),
    requestOf(
      'POST /v2/models/model/versions/1/infer',
      [`Inference-Header-Content-Length: ${binaryHead.length}`],
      Buffer.concat([Buffer.from(binaryHead), Buffer.alloc(16)]),
    ),
    ...[
      '/v1/models/model',
      '/v1/models/model/metadata',
      '/v2/models/model/ready',
      '/v2',
      '/openapi.json',
      '/',
      '/model',
    ].map((path) => requestOf(`GET ${path}`, ['Accept: text/html'], '')),
    ...['/metrics', '/healthz', '/admin/rollback', '/samples/%2e%2e'].map((path) =>
      requestOf(`GET ${path}`, [], ''),
    ),
  ],
  words: [
    ...wordsOf(
      '"instances":',
      '"inputs":',
      '"b64":',
      '"datatype":"FP64"',
      '"datatype":"BYTES"',
      '"shape":[0]',
      '[[',
      ']]',
    ),
    ...wordsOf(
      '"parameters":{"binary_data_size":8}',
      '%00',
      '%2F',
      '..',
      '?explain',
      '1e400',
      '"__proto__":',
      '/v2/models/',
    ),
    ...wordsOf(
      'Accept: application/json\n',
      'Content-Encoding: gzip\n',
      'Accept: text/csv\n',
      'Inference-Header-Content-Length: 3\n',
    ),
    ...wordsOf(
      '"outputs":',
      '"raw_output":true',
      '/versions/',
      '/labels/',
      ':predict',
      ':regress',
      '"data":[',
      '-1',
    ),
  ],
  reshape: bodies(jsonValues),
  ...(await serving(OF_A_TABLE)),
});

const BOUNDARY = '--boundary';
const part = (name: string, content: Uint8Array | string, facts = '') =>
  Buffer.concat([
    Buffer.from(`${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${facts}\r\n\r\n`),
    Buffer.from(content as Uint8Array),
    Buffer.from('\r\n'),
  ]);
const form = (path: string, ...parts: readonly Uint8Array[]) =>
  requestOf(
    `POST ${path}`,
    [`Content-Type: multipart/form-data; boundary=${BOUNDARY.slice(2)}`, 'Accept: application/json'],
    Buffer.concat([...parts, Buffer.from(`${BOUNDARY}--\r\n`)]),
  );
const FILE = '; filename="x.png"\r\nContent-Type: image/png';

/** Forms: pictures, fields, tables. */
export const upload: MakeTarget = async () => {
  const pictures = await pictureSeeds();
  const [table, picture] = await Promise.all([serving(OF_A_TABLE), serving(OF_PICTURES)]);
  return {
    seeds: [
      ...pictures.slice(0, 7).map((bytes) => form('/upload', part('file', bytes, FILE))),
      form('/upload?explain', part('file', pictures[0] as Uint8Array, FILE)),
      form('/predict', part('input.size', '1'), part('input.size', '2'), part('input.soil', 'clay')),
      form(
        '/predict',
        part('file', 'width,height,soil,id\n1,2,clay,7\n3,,loam,8\n', FILE),
        part('format', 'csv'),
      ),
      form('/predict', part('file', JSON.stringify({ instances: [instance] }), FILE)),
    ],
    words: [
      ...PICTURE_WORDS,
      ...wordsOf(
        BOUNDARY,
        '\r\n',
        '\r\n\r\n',
        'Content-Disposition: form-data; name="',
        '; filename="',
        "; filename*=UTF-8''%ff",
      ),
      ...wordsOf(
        'Content-Transfer-Encoding: base64\r\n',
        'input.',
        'input.size',
        '[]',
        '__proto__',
        'charset=utf-7',
        '--',
      ),
    ],
    async read(bytes) {
      // Each page has a model of its own kind.
      await (/^POST \/upload/.test(Buffer.from(bytes.subarray(0, 12)).toString('latin1'))
        ? picture
        : table
      ).read(bytes);
    },
    async close() {
      await Promise.all([table.close?.(), picture.close?.()]);
    },
  };
};

/** Messages of `Predict`. */
export const grpc: MakeTarget = async () => {
  const { Predict } = serviceDefinition('tensorflow.serving.PredictionService');
  const shape = (...sizes: readonly number[]) => ({ dim: sizes.map((size) => ({ size })) });
  const message = (given: object, spec: object = {}) =>
    Predict?.requestSerialize({ model_spec: { name: 'model', ...spec }, inputs: given }) ?? new Uint8Array(0);
  const size = { dtype: DT_FLOAT, tensor_shape: shape(1, 2), float_val: [1, 2] };
  const soil = { dtype: DT_STRING, tensor_shape: shape(1, 1), string_val: [Buffer.from('clay')] };
  const parts = { models: singleModel(predictorOf(OF_A_TABLE)), codecs: createCodecs() };
  return {
    seeds: [
      message({ size, soil }),
      message({
        size: { dtype: DT_FLOAT, tensor_shape: shape(1, 2), tensor_content: Buffer.alloc(8) },
        soil,
      }),
      message(
        { size: { dtype: DT_FLOAT, tensor_shape: shape(2, 2), float_val: [1] }, soil },
        { version: { value: 1 } },
      ),
      message({
        size: { dtype: 9, tensor_shape: shape(1, 2), int64_val: [1, 2] },
        soil: { ...size, dtype: 23 },
      }),
    ],
    words: wordsOf(
      'size',
      'soil',
      'model',
      'serving_default',
      'kind',
      '\x12\x00',
      '\x08\x01',
      '\xff\xff\xff\xff\x0f',
      '\x0b',
    ),
    reshape: oneOf(protobufFields),
    async read(bytes) {
      await answerPredict(parts, bytes);
    },
  };
};
