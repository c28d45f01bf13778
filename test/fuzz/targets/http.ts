/** Bodies of the HTTP APIs, and addresses of all kinds. */
import { jsonValues, wordsOf } from '../reshape.js';
import type { MakeTarget } from '../target.js';
import { bodies, INSTANCE, OF_A_TABLE, postJson, requestOf, serving } from './serving.js';

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
    postJson('/v1/models/model:predict', { instances: [INSTANCE] }),
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
