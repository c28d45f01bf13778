/** Models that take no pictures, served: several inputs and outputs, whole numbers, steps; by every protocol, as a form and from the command line. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodeNpz } from '../lib/formats/data/npz.js';
import { silentReporter } from '../lib/observability/events.js';
import { runCommand } from '../test/program-host.js';
import { sharedDirectory } from '../test/temporary-directory.js';
import { createCodecs } from './codecs/codecs.js';
import { startGrpc } from './grpc/grpc-server.js';
import { singleModel } from './models/served-models.js';
import { createWorkerPredictor } from './models/worker-predictor.js';
import { OPEN_ACCESS } from './operations/access.js';
import { createMetrics } from './operations/metrics.js';
import { digitPng } from './testing/segment-digits.js';
import { type ServedApp, serveApp, upload } from './testing/served-app.js';

// What Keras 3 wrote, with what it predicts: see make_output_fixtures.py.
const fixture = (name: string) =>
  new URL(`../../lib/model/keras/fixtures/outputs-${name}`, import.meta.url).pathname;
const measured = JSON.parse(readFileSync(fixture('keras3.json'), 'utf8')) as Readonly<
  Record<string, { readonly predictions: readonly (readonly number[])[] }>
>;
const fixed = (length: number, salt: number) =>
  Float32Array.from({ length }, (_, at) => ((at * 37 + salt) % 101) / 101 - 0.5);
const [LEFT, RIGHT] = [fixed(3 * 4, 50), fixed(3 * 3, 51)];
const WORDS = fixed(3 * 5, 50).map((value) => Math.floor((value + 0.5) * 7));
const rowsOf = (values: Float32Array, size: number) =>
  Array.from({ length: values.length / size }, (_, at) => [...values.subarray(at * size, (at + 1) * size)]);

const open = (name: string) => createWorkerPredictor({ modelPath: fixture(`${name}-keras3.h5`), threads: 1 });

function close(found: readonly number[], wanted: readonly number[] | undefined, what: string): void {
  assert.equal(found.length, wanted?.length, what);
  for (const [at, value] of found.entries())
    assert.ok(Math.abs(value - (wanted?.[at] as number)) < 1e-5, `${what} ${at}: ${value}, ${wanted?.[at]}`);
}
const flat = (list: unknown) => [list].flat(9) as number[];

describe('a model of two inputs and three outputs', () => {
  let app: ServedApp;
  let grpc: Awaited<ReturnType<typeof startGrpc>>;
  before(async () => {
    const predictor = await open('several');
    app = await serveApp({ predictor });
    const parts = { models: singleModel(predictor), codecs: createCodecs(), access: OPEN_ACCESS };
    const front = { ...parts, metrics: createMetrics(), trustedProxies: 0, logsRequests: false };
    grpc = await startGrpc({ ...front, reporter: silentReporter }, { host: '127.0.0.1', port: 0 });
  });
  after(async () => {
    await grpc.close();
    await app.close();
  });
  const wanted = measured.several?.predictions as readonly (readonly number[])[];
  const ask = async (path: string, body?: object) => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(app.url + path, init);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const [lefts, rights] = [rowsOf(LEFT, 4), rowsOf(RIGHT, 3)];

  it('answers TensorFlow Serving’s REST API, by rows and by columns', async () => {
    const instances = lefts.map((left, at) => ({ right: rights[at], left }));
    const { json: byRow } = await ask('/v1/models/model:predict', { instances });
    const { json: byColumn } = await ask('/v1/models/model:predict', {
      inputs: { left: lefts, right: rights },
    });
    for (const [at, name] of ['price', 'kind', 'holds'].entries()) {
      const rows = (byRow.predictions as Record<string, unknown>[]).map((row) => row[name]);
      close(flat(rows), wanted[at], name);
      close(flat((byColumn.outputs as Record<string, unknown>)[name]), wanted[at], name);
    }
    const { json } = await ask('/v1/models/model/metadata');
    const { metadata } = json as {
      readonly metadata: {
        readonly signature_def: { readonly signature_def: Record<string, Record<string, object>> };
      };
    };
    const { inputs, outputs } = metadata.signature_def.signature_def.serving_default ?? {};
    assert.deepEqual(
      [Object.keys(inputs ?? {}), Object.keys(outputs ?? {})],
      [
        ['left', 'right'],
        ['price', 'kind', 'holds'],
      ],
    );
  });

  it('answers the Open Inference Protocol: those outputs that are asked for, as numbers and as bytes', async () => {
    const { json: metadata } = await ask('/v2/models/model');
    assert.deepEqual(metadata.outputs, [
      { name: 'price', datatype: 'FP32', shape: [-1, 2] },
      { name: 'kind', datatype: 'FP32', shape: [-1, 3] },
      { name: 'holds', datatype: 'FP32', shape: [-1, 4] },
    ]);
    const tensor = (name: string, values: Float32Array, size: number) => ({
      ...{ name, datatype: 'FP32', shape: [3, size] },
      parameters: { binary_data_size: values.byteLength },
    });
    const head = Buffer.from(
      JSON.stringify({
        inputs: [tensor('right', RIGHT, 3), tensor('left', LEFT, 4)],
        outputs: [{ name: 'holds', parameters: { binary_data: true } }, { name: 'price' }],
      }),
    );
    const response = await fetch(`${app.url}/v2/models/model/infer`, {
      method: 'POST',
      body: Buffer.concat([head, Buffer.from(RIGHT.buffer), Buffer.from(LEFT.buffer)]),
      headers: { 'Inference-Header-Content-Length': String(head.length) },
    });
    const answer = Buffer.from(await response.arrayBuffer());
    const end = Number(response.headers.get('inference-header-content-length'));
    const { outputs } = JSON.parse(answer.subarray(0, end).toString()) as {
      outputs: { name: string; data: number[] }[];
    };
    assert.deepEqual(
      outputs.map(({ name }) => name),
      ['price', 'holds'],
    );
    close(outputs[0]?.data ?? [], wanted[0], 'price');
    close([...new Float32Array(new Uint8Array(answer.subarray(end)).buffer)], wanted[2], 'holds');
    const raw = await fetch(`${app.url}/v2/models/model/infer`, {
      method: 'POST',
      body: Buffer.from(LEFT.buffer),
      headers: { 'Inference-Header-Content-Length': '0' },
    });
    assert.equal(raw.status, 400);
    assert.match(await raw.text(), /Expected JSON before the bytes, which says which of the inputs they are/);
  });

  it('says which inputs and shapes it takes', async () => {
    for (const [body, sentence] of [
      [{ instances: [{ left: lefts[0] }] }, /Expected the inputs left, right, found left/],
      [{ inputs: { left: lefts, middle: rights } }, /Expected the inputs left, right, found left, middle/],
      [{ instances: [lefts[0]] }, /Expected the inputs left, right, found one without a name/],
      [
        { inputs: { left: lefts, right: rights.slice(1) } },
        /as many examples in right as in left, 3, found 2/,
      ],
      [{ inputs: { left: rights, right: rights } }, /a tensor of shape \[-1,4\], found shape \[3,3\]/],
      [
        { instances: [{ left: lefts[0], right: rights[0] }, { left: lefts[1] }] },
        /in each example.*found left in example 1/,
      ],
    ] as const) {
      const { status, json } = await ask('/v1/models/model:predict', body);
      assert.equal(status, 400);
      assert.match(String(json.error), sentence);
    }
    const { json } = await ask('/v1/models/model:classify', { examples: [] });
    assert.match(String(json.error), /one of several outputs and tells no classes apart/);
  });

  it('is a form on the page, whose fields or file are answered in the words of each task', async () => {
    const page = await (await fetch(app.url, { headers: { Accept: 'text/html' } })).text();
    assert.equal(page.match(/name="input\.left"/g)?.length, 4);
    assert.match(page, /Output kind<\/dt><dd>classification, 3/);
    const form = new FormData();
    for (const value of lefts[0] ?? []) form.append('input.left', String(value));
    for (const value of rights[0] ?? []) form.append('input.right', String(value));
    const post = (accept: string, body = form) =>
      fetch(`${app.url}/predict`, { method: 'POST', body, headers: { Accept: accept } });
    const { answers } = (await (await post('application/json')).json()) as {
      answers: { outputs: Record<string, Record<string, number[]>> }[];
    };
    const { price, kind, holds } = answers[0]?.outputs ?? {};
    close(price?.values ?? [], wanted[0]?.slice(0, 2), 'price');
    close(kind?.probabilities ?? [], wanted[1]?.slice(0, 3), 'kind');
    assert.deepEqual(
      holds?.holds,
      wanted[2]?.slice(0, 4).flatMap((each, at) => (each > 0.5 ? [at] : [])),
    );
    assert.match(
      await (await post('text/html')).text(),
      /class="sentence"><strong>class \d<\/strong>, \d+\.\d % sure/,
    );

    const csv = ['a,b,c,d,e,f,g', ...lefts.map((left, at) => [...left, ...(rights[at] ?? [])].join())].join(
      '\n',
    );
    const file = (text: string, name: string) => {
      const sent = new FormData();
      sent.append('file', new Blob([text]), name);
      return sent;
    };
    const rows = (await (await post('application/json', file(csv, 'a.csv'))).json()) as {
      answers: unknown[];
    };
    assert.deepEqual([rows.answers.length, rows.answers[0]], [3, answers[0]]);
    // Above 64 kB it is read in the thread of large bodies.
    const lines = csv.split('\n').slice(1);
    const long = Array.from({ length: 200 }, () => lines.join('\n')).join('\n');
    assert.ok(long.length > 65_536);
    const many = (await (await post('application/json', file(long, 'a.csv'))).json()) as typeof rows;
    assert.deepEqual([many.answers.length, many.answers.at(-3)], [600, answers[0]]);
    form.set('input.right', 'seven');
    const refused = await post('text/html');
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /Expected 3 numbers for right, found 1\./);
    const short = await post('application/json', file('1,2,3', 'a.csv'));
    assert.match(
      await short.text(),
      /Expected 7 numbers in line 1, those of all inputs of the model, found 3/,
    );
    const picture = await upload(app.url, await digitPng(1));
    assert.equal(picture.status, 400);
    assert.match(await picture.text(), /one of several outputs and tells no classes apart/);
  });

  it('is asked from the command line by REST and by gRPC, with JSON and with an npz', async () => {
    const npz = join(sharedDirectory(), 'examples.npz');
    await writeFile(
      npz,
      await encodeNpz([
        { name: 'x/left', shape: [3, 4], values: LEFT },
        { name: 'x/right', shape: [3, 3], values: RIGHT },
      ]),
    );
    const json = JSON.stringify({ inputs: { left: lefts, right: rights } });
    const said: unknown[] = [];
    for (const [protocol, port, input] of [
      ['rest', new URL(app.url).port, json],
      ['grpc', grpc.address.split(':').at(-1) as string, npz],
    ] as const) {
      const flags = ['--port', port, '--model', 'model', '--protocol', protocol, '--input', input];
      const { exitCode, stdout, stderr } = await runCommand('predict', flags);
      assert.equal(exitCode, 0, stderr);
      const { answers } = JSON.parse(stdout) as { answers: { outputs: { kind: { prediction: number } } }[] };
      assert.equal(answers.length, 3);
      said.push(answers.map(({ outputs }) => outputs.kind.prediction));
    }
    assert.deepEqual(said[0], said[1]);
    for (const [flags, code, sentence] of [
      [
        ['--input', '{"inputs": {"left": [[1]]}}'],
        3,
        /expected the inputs of the model, left, right, found left/,
      ],
      [['--input', '[1]'], 3, /expected examples \(JSON, npz, CSV or Parquet\), found no such file/],
      [
        ['--input', '{"a": 1}'],
        3,
        /expected numbers as .* found others: Missing 'inputs' or 'instances' key/,
      ],
      [[], 2, /Expected either --image with a picture or --input with numbers/],
    ] as const) {
      const port = ['--port', new URL(app.url).port, '--model', 'model', '--protocol', 'rest'];
      const { exitCode, stderr } = await runCommand('predict', [...port, ...flags]);
      assert.equal(exitCode, code, stderr);
      assert.match(stderr, sentence);
    }
  });
});

describe('a model of the next character at each step', () => {
  it('takes whole numbers, answers step by step, and says which numbers it knows', async () => {
    const app = await serveApp({ predictor: await open('characters') });
    try {
      const post = async (path: string, body: object) =>
        (await (
          await fetch(app.url + path, { method: 'POST', body: JSON.stringify(body) })
        ).json()) as Record<string, unknown>;
      const { predictions } = await post('/v1/models/model:predict', { instances: rowsOf(WORDS, 5) });
      close(flat(predictions), measured.characters?.predictions[0], 'next');
      // Whole numbers are no grey levels here.
      const { outputs } = await post('/v2/models/model/infer', {
        inputs: [{ name: 'words', datatype: 'INT32', shape: [3, 5], data: [...WORDS] }],
      });
      const [output] = outputs as { shape: number[]; data: number[] }[];
      assert.deepEqual(output?.shape, [3, 5, 7]);
      close(output?.data ?? [], measured.characters?.predictions[0], 'next');
      const { error } = await post('/v1/models/model:predict', { instances: [[0, 1, 2, 3, 7]] });
      assert.match(
        String(error),
        /whole numbers from 0 to 6 for words, the rows of the model's embedding, found 7/,
      );
      const form = new FormData();
      for (const word of WORDS.subarray(0, 5)) form.append('input.words', String(word));
      const response = await fetch(`${app.url}/predict`, { method: 'POST', body: form });
      const { answers } = (await response.json()) as { answers: { steps: { prediction: number }[] }[] };
      assert.equal(answers[0]?.steps.length, 5);
    } finally {
      await app.close();
    }
  });
});
