import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { preprocess } from '../../lib/digits/preprocess.js';
import { createWorkerPredictor } from '../models/worker-predictor.js';
import { decodeImage } from '../pictures/decode-image.js';
import { writeDenseModel, writePrototypeModel } from '../testing/prototype-model.js';
import { digitPng } from '../testing/segment-digits.js';
import { type ServedApp, serveApp, upload } from '../testing/served-app.js';

type Json = Readonly<Record<string, unknown>>;

/** Values of a digit as the model wants them. */
const digitValues = async (digit: number): Promise<number[]> => {
  const { values } = preprocess(await decodeImage(await digitPng(digit)), [28, 28, 1]);
  return Array.from(values);
};

/** The same as `[28][28][1]`. */
const nested = (values: readonly number[]) =>
  Array.from({ length: 28 }, (_, y) => values.slice(y * 28, (y + 1) * 28).map((value) => [value]));

const best = (row: readonly number[]) => row.indexOf(Math.max(...row));

let app: ServedApp;
let digits: number[][];
before(async () => {
  app = await serveApp({ limits: { maxBodyBytes: 300_000 } });
  digits = await Promise.all(Array.from({ length: 10 }, (_, digit) => digitValues(digit)));
});
after(() => app.close());

const of = (digit: number) => digits[digit] as number[];

async function ask(
  path: string,
  body?: unknown,
): Promise<{ status: number; json: Json; response: Response }> {
  const init = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(app.url + path, body === undefined ? {} : { method: 'POST', body: init });
  return { status: response.status, json: (await response.json()) as Json, response };
}

async function refuses(
  path: string,
  body: unknown,
  { status, sentence }: { status: number; sentence: RegExp },
) {
  const answer = await ask(path, body);
  assert.equal(answer.status, status, JSON.stringify(answer.json));
  assert.match(String(answer.json.error), sentence);
}

describe("TensorFlow Serving's REST API", () => {
  const predict = '/v1/models/model:predict';

  it('answers rows with rows and columns with columns, whatever the input is called', async () => {
    const images = [3, 8].map((digit) => nested(of(digit)));
    const rows = images.map((image) => ({ any_name: image }));
    for (const [body, key] of [
      [{ instances: images }, 'predictions'],
      [{ signature_name: 'serving_default', instances: rows }, 'predictions'],
      [{ instances: [of(3), of(8)] }, 'predictions'],
      [{ inputs: images }, 'outputs'],
      [{ inputs: { flatten_input: images } }, 'outputs'],
    ] as const) {
      const { status, json } = await ask(predict, body);
      assert.equal(status, 200, JSON.stringify(json));
      assert.deepEqual(Object.keys(json), [key]);
      assert.deepEqual((json[key] as number[][]).map(best), [3, 8]);
    }
  });

  it('answers the same whether an image stands alone or under the name of the input', async () => {
    const image = of(5).map((value) => value * 0.987654321);
    const alone = await ask(predict, { instances: [nested(image)] });
    const named = await ask(predict, { instances: [{ x: nested(image) }] });
    assert.deepEqual(alone.json, named.json);
  });

  it('answers versions and labels, and refuses those that are not there', async () => {
    const body = { instances: [of(4)] };
    for (const at of ['/versions/1', '/labels/stable', '']) {
      const { json } = await ask(`/v1/models/model${at}:predict`, body);
      assert.equal(best((json.predictions as number[][])[0] ?? []), 4);
    }
    for (const at of ['model/versions/7', 'model/labels/previous', 'model/labels/canary'])
      await refuses(`/v1/models/${at}:predict`, body, { status: 404, sentence: /Servable not found/ });
    await refuses('/v1/models/other:predict', body, {
      status: 404,
      sentence: /Could not find any versions of model other/,
    });
  });

  it('tells status and metadata as its clients expect', async () => {
    const ok = { error_code: 'OK', error_message: '' };
    assert.deepEqual((await ask('/v1/models/model')).json, {
      model_version_status: [{ version: '1', state: 'AVAILABLE', status: ok }],
    });
    const { json } = await ask('/v1/models/model/metadata');
    assert.deepEqual(json.model_spec, { name: 'model', signature_name: '', version: '1' });
    const { signature_def: outer } = json.metadata as { signature_def: { signature_def: Json } };
    const signature = outer.signature_def.serving_default as { inputs: Json; outputs: Json };
    assert.deepEqual(Object.keys(signature.inputs), ['flatten_input']);
    assert.deepEqual(Object.keys(signature.outputs), ['dense']);
    const { dtype, tensor_shape: shape } = signature.inputs.flatten_input as Json;
    assert.equal(dtype, 'DT_FLOAT');
    assert.deepEqual(shape, {
      dim: ['-1', '28', '28', '1'].map((size) => ({ size, name: '' })),
      unknown_rank: false,
    });
  });

  it('classifies examples', async () => {
    const { json } = await ask('/v1/models/model:classify', {
      examples: [{ image: of(6) }, { image: of(2) }],
    });
    const found = (json.results as (readonly [string, number])[][]).map(
      (each) => [...each].sort(([, a], [, b]) => b - a)[0]?.[0],
    );
    assert.deepEqual(found, ['6', '2']);
  });

  it('says in its own form what is wrong', async () => {
    const cases: readonly (readonly [body: unknown, sentence: RegExp])[] = [
      ['', /found no JSON but an empty text/],
      ['{', /^Expected a JSON object, found no JSON \(.*\)\.$/],
      [
        '{"instances": [[0, NaN]]}',
        /^Expected a JSON object, found NaN at instances\.0\.1, which is no number of JSON\.$/,
      ],
      ['[1]', /Expected a JSON object/],
      [{}, /Missing 'inputs' or 'instances' key/],
      [{ instances: [of(1)], inputs: [of(1)] }, /found both/],
      [{ instances: [] }, /at least one example, found an empty list/],
      [{ instances: 'seven' }, /at least one example, found a text/],
      [{ instances: [[1, 2, 3]] }, /tensor of shape \[-1,28,28,1\], found shape \[1,3\]/],
      [{ instances: [[...of(1), 0]] }, /found shape \[1,785\]/],
      [{ instances: of(1) }, /found shape \[784\]/],
      [{ instances: nested(of(1)) }, /found shape \[28,28,1\]/],
      [{ instances: [nested(of(1)), of(1)] }, /lists of one depth, found a number in example 1/],
      [{ instances: [of(1), [...of(1).slice(1), null]] }, /Expected numbers, found nothing in example 1/],
      [{ instances: [of(1).map(String)] }, /Expected numbers, found a text in example 0/],
      [{ instances: [of(1), 3] }, /Expected lists of one depth, found a number in example 1/],
      [{ instances: [{ b64: 'AAAA' }] }, /Expected numbers, found base64 text \(b64\)/],
      [{ instances: [{ image_bytes: { b64: 'AAAA' } }] }, /found base64 text/],
      [{ inputs: { image_bytes: { b64: 'AAAA' } } }, /found base64 text/],
      [{ inputs: { x: nested(of(1)) } }, /found shape \[28,28,1\]/],
      [{ instances: [{ a: of(1), b: of(1) }] }, /Expected the one input flatten_input, found a, b/],
      ['{"instances":[[1e999]]}', /32-bit float/],
      [{ instances: [of(1)], signature_name: 'other' }, /Serving signature key "other" not found/],
    ];
    for (const [body, sentence] of cases) await refuses(predict, body, { status: 400, sentence });
    await refuses(predict, undefined, { status: 405, sentence: /use POST/ });
    await refuses('/v1/models/model', {}, { status: 405, sentence: /use GET or HEAD/ });
    await refuses('/v1/nothing', undefined, {
      status: 404,
      sentence: /Malformed request: GET \/v1\/nothing/,
    });
    await refuses('/v1/models/%E0%A4%A:predict', {}, { status: 400, sentence: /address is malformed/ });
    await refuses(predict, 'x'.repeat(300_001), { status: 413, sentence: /too large: at most 0\.3 MB/ });
    const gzip = await fetch(app.url + predict, {
      method: 'POST',
      body: 'x',
      headers: { 'Content-Encoding': 'gzip' },
    });
    assert.equal(gzip.status, 415);
  });

  it('looks at the shape and not only at how many numbers there are', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    const modelPath = join(directory, 'colour.h5');
    await writePrototypeModel(modelPath, { inputShape: [28, 28, 3] });
    const predictor = await createWorkerPredictor({ modelPath, threads: 1 });
    const colour = await serveApp({ predictor });
    const ofShape = ([extent = 0, ...rest]: readonly number[]): unknown =>
      Array.from({ length: extent }, () => (rest.length === 0 ? 0.5 : ofShape(rest)));
    const bodies = (shape: readonly number[]) => [
      { instances: [ofShape(shape)] },
      { instances: [{ x: ofShape(shape) }] },
      { inputs: [ofShape(shape)] },
      { inputs: { x: [ofShape(shape)] } },
    ];
    try {
      for (const shape of [[28, 28, 3], [2352], [3, 28, 28], [28, 84], [84, 28], [28, 3, 28], [28, 28, 3, 1]])
        for (const body of bodies(shape)) {
          const isRight = shape.length === 1 || shape.join() === '28,28,3';
          const hint = shape.join() === '3,28,28' ? ': channels come last' : '';
          const response = await fetch(colour.url + predict, { method: 'POST', body: JSON.stringify(body) });
          const { error } = (await response.json()) as { error?: string };
          assert.equal(response.status, isRight ? 200 : 400);
          if (isRight) continue;
          const sentence = `Expected a tensor of shape [-1,28,28,3], found shape [1,${shape}]${hint}.`;
          assert.equal(error, sentence);
        }
    } finally {
      await colour.close();
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('lets nobody through to a prototype by its name', async () => {
    await refuses(predict, '{"__proto__":{"instances":[[1]]}}', { status: 400, sentence: /Missing/ });
    await refuses('/v1/models/constructor:predict', {}, { status: 404, sentence: /Could not find/ });
  });
});

describe('the Open Inference Protocol', () => {
  const infer = '/v2/models/model/infer';
  const input = (digit: number) => ({ name: 'x', shape: [1, 28, 28, 1], datatype: 'FP32', data: of(digit) });

  it('tells of server and model', async () => {
    assert.deepEqual((await ask('/v2/health/live')).json, { live: true });
    assert.deepEqual((await ask('/v2/health/ready')).json, { ready: true });
    assert.deepEqual((await ask('/v2/models/model/ready')).json, { name: 'model', ready: true });
    assert.equal((await ask('/v2')).json.name, 'fedbatch');
    assert.deepEqual((await ask('/v2/models/model/versions/1')).json, {
      name: 'model',
      versions: ['1'],
      platform: 'keras_hdf5',
      inputs: [{ name: 'flatten_input', datatype: 'FP32', shape: [-1, 28, 28, 1] }],
      outputs: [{ name: 'dense', datatype: 'FP32', shape: [-1, 10] }],
    });
  });

  it('infers from lists of floats and of grey levels', async () => {
    const levels = of(9).map((value) => Math.round(value * 255));
    for (const each of [
      input(9),
      { ...input(9), data: [nested(of(9))] },
      { ...input(9), datatype: 'UINT8', data: levels },
      { ...input(9), datatype: 'INT64', data: levels, shape: [28, 28] },
      { ...input(9), shape: [1, 784] },
    ]) {
      const { status, json } = await ask(infer, { id: 'abc', inputs: [each] });
      assert.equal(status, 200, JSON.stringify(json));
      const [output] = json.outputs as { name: string; shape: number[]; datatype: string; data: number[] }[];
      assert.equal(best(output?.data ?? []), 9);
      assert.deepEqual(output?.shape, [1, 10]);
      assert.deepEqual([json.id, json.model_name, json.model_version], ['abc', 'model', '1']);
    }
  });

  it('takes and gives tensors as bytes', async () => {
    const bytes = Buffer.from(Float32Array.from([...of(7), ...of(1)]).buffer);
    const head = Buffer.from(
      JSON.stringify({
        inputs: [
          {
            name: 'x',
            shape: [2, 28, 28, 1],
            datatype: 'FP32',
            parameters: { binary_data_size: bytes.length },
          },
        ],
        outputs: [{ name: 'dense', parameters: { binary_data: true } }],
      }),
    );
    const post = (length: number) =>
      fetch(app.url + infer, {
        method: 'POST',
        body: Buffer.concat([head, bytes]),
        headers: { 'Inference-Header-Content-Length': String(length) },
      });
    const response = await post(head.length);
    assert.equal(response.status, 200);
    const answer = Buffer.from(await response.arrayBuffer());
    const end = Number(response.headers.get('inference-header-content-length'));
    const json = JSON.parse(answer.subarray(0, end).toString()) as { outputs: Json[] };
    assert.deepEqual(json.outputs[0]?.parameters, { binary_data_size: 80 });
    const rows = new Float32Array(new Uint8Array(answer.subarray(end)).buffer);
    assert.deepEqual([best([...rows.subarray(0, 10)]), best([...rows.subarray(10)])], [7, 1]);
    for (const wrong of [head.length - 1, head.length + 1, 1e9, Number.NaN])
      assert.equal((await post(wrong)).status, 400);
  });

  /** Asks with these bytes alone, or behind JSON that says what they are. */
  const inBytes = async (bytes: Uint8Array, tensor?: Readonly<{ datatype: string; shape: number[] }>) => {
    const facts = { name: 'x', ...tensor, parameters: { binary_data_size: bytes.length } };
    const head = Buffer.from(tensor === undefined ? '' : JSON.stringify({ inputs: [facts] }));
    const response = await fetch(app.url + infer, {
      method: 'POST',
      body: Buffer.concat([head, bytes]),
      headers: { 'Inference-Header-Content-Length': String(head.length) },
    });
    const json = (await response.json()) as { outputs?: readonly { data: number[] }[]; error?: string };
    return { status: response.status, data: json.outputs?.[0]?.data ?? [], error: json.error };
  };

  it('takes every type of numbers as bytes, half floats and booleans too', async () => {
    const image = of(7).map((value) => (value > 0.5 ? 1 : 0));
    const { data: wanted } = await inBytes(new Uint8Array(Float32Array.from(image).buffer));
    assert.equal(best(wanted), 7);
    const words = (one: number) => new Uint8Array(Uint16Array.from(image, (value) => value * one).buffer);
    const as: Readonly<Record<string, Uint8Array>> = {
      FP64: new Uint8Array(Float64Array.from(image).buffer),
      FP16: words(0x3c00),
      BF16: words(0x3f80),
      BOOL: Uint8Array.from(image),
      UINT8: Uint8Array.from(image, (value) => value * 255),
      UINT16: words(255),
    };
    for (const [datatype, bytes] of Object.entries(as))
      assert.deepEqual((await inBytes(bytes, { datatype, shape: [1, 28, 28, 1] })).data, wanted, datatype);
    const { json } = await ask(infer, {
      inputs: [{ ...input(7), datatype: 'BOOL', data: image.map((value) => value === 1) }],
    });
    assert.deepEqual((json.outputs as { data: number[] }[])[0]?.data, wanted);
    for (const odd of [[0x7c00], [0xfc00], [0x7e00]]) {
      const { status, error } = await inBytes(new Uint8Array(Uint16Array.from(odd).buffer), {
        ...{ datatype: 'FP16', shape: [1] },
      });
      assert.equal(status, 400);
      assert.match(error ?? '', /finite numbers/);
    }
  });

  it('takes the bytes of one example without any JSON, in the type of the model', async () => {
    const bytes = new Uint8Array(Float32Array.from(of(3)).buffer);
    const { data } = await inBytes(bytes);
    assert.equal(best(data), 3);
    const { status, error } = await inBytes(bytes.subarray(4));
    assert.equal(status, 400);
    assert.match(error ?? '', /Expected 3136 bytes of FP32 in shape \[1,28,28,1\], found 3132/);
  });

  it('says what is wrong', async () => {
    const cases: readonly (readonly [input: object, sentence: RegExp])[] = [
      [{ datatype: 'COMPLEX64' }, /datatype of numbers such as FP32/],
      [{ datatype: 'BYTES' }, /Expected texts, found a number in example 0/],
      [{ datatype: 'BYTES', data: of(1).map(String) }, /Expected numbers, found a text in example 0/],
      [{ datatype: 'toString' }, /datatype of numbers/],
      [{ shape: [1, 28, 28, 3] }, /Expected 2352 numbers in shape \[1,28,28,3\], found 784/],
      [{ shape: [1, 14, 14, 4] }, /Expected a tensor of shape \[-1,28,28,1\], found shape \[1,14,14,4\]/],
      [{ shape: [2, 28, 28, 1] }, /Expected 1568 numbers in shape \[2,28,28,1\], found 784/],
      [{ shape: [1e9, 28, 28, 1] }, /at most 16000000 numbers/],
      [{ shape: 'wide' }, /"shape" as a list/],
      [{ shape: [0, 28, 28, 1], data: [] }, /Expected a tensor of shape/],
      [{ data: 'x' }, /"data" as a list/],
      [{ data: of(1).map(() => 1e300) }, /numbers that a 32-bit float holds, found 1e\+300/],
      [{ parameters: { binary_data_size: 12 } }, /Expected 12 bytes behind the JSON, found 0/],
    ];
    for (const [change, sentence] of cases)
      await refuses(infer, { inputs: [{ ...input(1), ...change }] }, { status: 400, sentence });
    await refuses(infer, { inputs: [] }, { status: 400, sentence: /one tensor, found 0/ });
    await refuses(
      infer,
      { inputs: [input(1)], outputs: [{ name: 'y' }] },
      { status: 400, sentence: /one output dense/ },
    );
    await refuses('/v2/models/none', undefined, { status: 404, sentence: /Could not find/ });
    await refuses(
      '/v2/models/model/versions/9/infer',
      { inputs: [input(1)] },
      { status: 404, sentence: /version 9/ },
    );
    await refuses('/v2/what', undefined, { status: 404, sentence: /Malformed/ });
  });
});

describe('a model of numbers', () => {
  it('answers with them, and is asked for no classes and no digits', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    const modelPath = join(directory, 'rent.h5');
    const [kernel, bias] = [new Float32Array(784).fill(1), Float32Array.of(-3)];
    await writeDenseModel(modelPath, { inputShape: [28, 28, 1], kernel, bias, activation: 'linear' });
    const served = await serveApp({ predictor: await createWorkerPredictor({ modelPath, threads: 1 }) });
    const post = async (path: string, body: object) => {
      const response = await fetch(served.url + path, { method: 'POST', body: JSON.stringify(body) });
      return { status: response.status, json: (await response.json()) as Json };
    };
    try {
      const ones = new Array<number>(784).fill(1);
      const answer = await post('/v1/models/model:predict', { instances: [ones, ones.map(() => 0)] });
      assert.deepEqual(answer, { status: 200, json: { predictions: [[781], [-3]] } });
      const inferred = await post('/v2/models/model/infer', {
        inputs: [{ name: 'flatten_input', datatype: 'FP32', shape: [1, 784], data: ones }],
      });
      assert.deepEqual((inferred.json as { outputs: { data: number[] }[] }).outputs[0]?.data, [781]);
      const classes = await post('/v1/models/model:classify', { examples: [{ flatten_input: ones }] });
      assert.equal(classes.status, 400);
      assert.match(String(classes.json.error), /one of regression and tells no classes apart/);
      const refused = await upload(served.url, await digitPng(1));
      assert.equal(refused.status, 400);
      assert.match(String(((await refused.json()) as Json).error), /one of regression/);
    } finally {
      await served.close();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
