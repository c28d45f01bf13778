/** Models of tables and pictures of every task, served: forms made of their inputs, answers in words and units, tables in and out. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { runCommand } from '../test/program-host.js';
import { sharedDirectory } from '../test/temporary-directory.js';
import type { ExampleWords } from './models/answer-words.js';
import { createWorkerPredictor } from './models/worker-predictor.js';
import { type ServedApp, serveApp, serveGrpc } from './testing/served-app.js';
import { FLOWERS, HOUSES, SCENES, SKIN, type TaskModel, writeTaskModel } from './testing/task-model.js';

const close = (found: number | undefined, wanted: number | undefined) =>
  assert.ok(Math.abs((found ?? Number.NaN) - (wanted ?? Number.NaN)) < 1e-5, `${found}, ${wanted}`);

/** Serves a model and asks it. */
async function open(name: string, model: TaskModel) {
  const directory = join(sharedDirectory(), `forms-${name}`);
  await mkdir(directory, { recursive: true });
  const modelPath = await writeTaskModel(directory, model);
  const predictor = await createWorkerPredictor({ modelPath, threads: 1 });
  const app = await serveApp({ predictor });
  const post = (path: string, body: FormData | string, accept = 'application/json') =>
    fetch(app.url + path, { method: 'POST', body, headers: { Accept: accept } });
  return {
    ...{ app, directory, post, predictor },
    page: async () => (await fetch(app.url, { headers: { Accept: 'text/html' } })).text(),
    json: async (path: string, body: object) =>
      (await (await post(path, JSON.stringify(body))).json()) as Record<string, never>,
    ask: async (form: FormData) => {
      const response = await post('/predict', form);
      const { answers = [], error } = (await response.json()) as {
        answers?: readonly ExampleWords[];
        error?: string;
      };
      return { answers, error, status: response.status };
    },
  };
}

function formOf(fields: readonly (readonly [string, string | Blob])[]): FormData {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  return form;
}

const picture = async (side = 40): Promise<Blob> => {
  const pixels = Uint8Array.from({ length: side * side * 2 * 3 }, (_, at) => (at * 31) % 256);
  const png = await sharp(pixels, { raw: { width: side * 2, height: side, channels: 3 } })
    .png()
    .toBuffer();
  return new Blob([new Uint8Array(png)]);
};

describe('a table with categories', () => {
  let served: Awaited<ReturnType<typeof open>>;
  before(async () => {
    served = await open('flowers', FLOWERS);
  });
  after(() => served.app.close());
  const flower = (soil: string) =>
    formOf([
      ['input.numbers', '1.25'],
      ['input.numbers', '2'],
      ['input.soil', soil],
    ]);

  it('is a form with a field for each column: units, what may be left empty, a choice of names', async () => {
    const page = await served.page();
    assert.match(page, /<h1>What is the species\?<\/h1>/);
    assert.match(page, /answers: iris, rose or tulip\./);
    assert.match(page, /<span>width <small>cm<\/small><\/span><input type="number"[^>]* required/);
    assert.match(page, /<span>height <small>cm<\/small><\/span><input type="number"(?![^>]* required)[^>]*>/);
    assert.match(page, /<small id="input-0-0-range">0\.5 to 4<\/small>/);
    assert.match(page, /<small id="input-0-1-range">1 to 12\.25; empty: 1\.5<\/small>/);
    assert.match(page, /<select [^>]*required><option value="">choose…<\/option><option value="clay">clay</);
    assert.match(page, /with the columns width, height, soil; others are kept/);
  });

  it('takes categories by name in every protocol, and answers the same as to their numbers', async () => {
    const { answers } = await served.ask(flower('loam'));
    const [said] = answers as readonly [Extract<ExampleWords, { prediction: number }>];
    assert.equal(said.label, ['iris', 'rose', 'tulip'][said.prediction]);
    const byNumber = await served.json('/v1/models/model:predict', {
      instances: [{ numbers: [1.25, 2], soil: [2] }],
    });
    const byName = await served.json('/v1/models/model:predict', {
      instances: [{ numbers: [1.25, 2], soil: 'loam' }],
    });
    assert.deepEqual(byName, byNumber);
    const [predictions] = byNumber.predictions as unknown as readonly (readonly number[])[];
    said.probabilities.forEach((each, at) => {
      close(each, predictions?.[at]);
    });
    const numbers = { name: 'numbers', datatype: 'FP32', shape: [1, 2], data: [1.25, 2] };
    const soil = { name: 'soil', datatype: 'BYTES', shape: [1, 1], data: ['loam'] };
    const inferred = await served.json('/v2/models/model/infer', { inputs: [numbers, soil] });
    const [output] = inferred.outputs as unknown as readonly { readonly data: readonly number[] }[];
    assert.deepEqual(output?.data, predictions);
    const bytes = Buffer.from([4, 0, 0, 0, ...Buffer.from('loam')]);
    const binary = { name: 'soil', datatype: 'BYTES', shape: [1, 1], parameters: { binary_data_size: 8 } };
    const head = Buffer.from(JSON.stringify({ inputs: [numbers, binary] }));
    const response = await fetch(`${served.app.url}/v2/models/model/infer`, {
      method: 'POST',
      body: Buffer.concat([head, bytes]),
      headers: { 'Inference-Header-Content-Length': String(head.length) },
    });
    const said2 = (await response.json()) as { outputs: readonly { readonly data: readonly number[] }[] };
    assert.deepEqual(said2.outputs[0]?.data, predictions);
  });

  it('says in one sentence that a category was never in the training: 400, and exit 3 of predict', async () => {
    const sentence =
      /[Ee]xpected a category of soil that was in the training, one of "clay", "loam", "sand", found "peat" in /;
    const { error, status } = await served.ask(flower('peat'));
    assert.equal(status, 400);
    assert.match(error ?? '', sentence);
    const body = { instances: [{ numbers: [1, 2], soil: ['peat'] }] };
    const refused = await served.post('/v1/models/model:predict', JSON.stringify(body));
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /found \\"peat\\" in example 0/);
    const page = await served.post('/predict', flower('peat'), 'text/html');
    assert.equal(page.status, 400);
    const shown = await page.text();
    assert.match(shown, /role="alert">Expected a category of soil [^<]*&quot;peat&quot; in field soil\.</);
    assert.match(shown, /name="input.numbers"[^>]*value="1.25"/, 'the fields keep what stands in them');
    const flags = ['--port', new URL(served.app.url).port, '--model', 'model', '--protocol', 'rest'];
    const { exitCode, stderr } = await runCommand('predict', [...flags, '--input', JSON.stringify(body)]);
    assert.equal(exitCode, 3);
    assert.match(stderr, sentence);
    // Numbers where categories have names are numbers still, and texts where numbers are wanted are none.
    const text = { instances: [{ numbers: ['a', 'b'], soil: [1] }] };
    const answer = await served.post('/v1/models/model:predict', JSON.stringify(text));
    assert.match(await answer.text(), /Expected numbers, found a text in example 0/);
  });

  it('takes a table and answers with one, on the page and from the command line', async () => {
    const table = 'id,soil,height,width\n7,loam,2,1.25\n8,clay,,3\n';
    const form = formOf([
      ['file', new Blob([table])],
      ['format', 'csv'],
    ]);
    const response = await served.post('/predict', form, 'text/html');
    assert.match(
      response.headers.get('content-disposition') ?? '',
      /attachment; filename="?predictions.csv"?$/,
    );
    const csv = await response.text();
    const [head, first, second] = csv.split('\n');
    assert.equal(head, 'id,prediction,probability');
    assert.match(first ?? '', /^7,(iris|rose|tulip),0\.\d+$/);
    assert.match(second ?? '', /^8,/);
    const { answers } = await served.ask(formOf([['file', new Blob([table])]]));
    assert.equal(answers.length, 2);
    const [input, output] = [join(served.directory, 'rows.csv'), join(served.directory, 'said.csv')];
    await writeFile(input, table);
    const grpc = await serveGrpc(served.predictor);
    try {
      for (const [protocol, port, model] of [
        ['rest', new URL(served.app.url).port, 'model'],
        ['grpc', String(grpc.address.split(':').at(-1)), 'digits'],
      ] as const) {
        const flags = ['--port', port, '--model', model, '--protocol', protocol];
        const ended = await runCommand('predict', [...flags, '--input', input, '--output', output]);
        assert.equal(ended.exitCode, 0, ended.stderr);
        assert.deepEqual(JSON.parse(ended.stdout), { output, examples: 2 });
        assert.equal(await readFile(output, 'utf8'), csv);
      }
    } finally {
      await grpc.close();
    }
    await writeFile(input, table.replace('clay', 'peat'));
    const flags = ['--port', new URL(served.app.url).port, '--model', 'model'];
    const refused = await runCommand('predict', [...flags, '--input', input, '--output', `${output}.2`]);
    assert.equal(refused.exitCode, 3);
    assert.match(refused.stderr, /rows\.csv: expected a category of soil .* found "peat" in line 3/);
    await assert.rejects(readFile(`${output}.2`), { code: 'ENOENT' });
  });
});

describe('a table that is Parquet', () => {
  it('is read in a process of its own, and answered as a CSV file that keeps its other columns', async () => {
    const fixture = new URL('../../lib/formats/fixtures/parquet/snappy.parquet', import.meta.url);
    const bytes = new Uint8Array(await readFile(fixture));
    const { app, post } = await open('parquet', {
      inputs: [{ name: 'small', shape: [1] }],
      ...{ outputs: 1, activation: 'linear' },
    });
    try {
      const fields = [['file', new Blob([bytes])]] as const;
      const csv = await post('/predict', formOf(fields), 'text/csv');
      assert.equal(csv.status, 200);
      const [head = '', ...lines] = (await csv.text()).trimEnd().split('\n');
      assert.equal(lines.length, 40);
      assert.ok(head.includes('long') && head.endsWith(',prediction'), head);
      const damaged = new Blob([bytes.subarray(0, bytes.length / 2)]);
      const refused = await post('/predict', formOf([['file', damaged]]));
      assert.equal(refused.status, 400);
      assert.match(await refused.text(), /Expected a Parquet file, found/);
    } finally {
      await app.close();
    }
  });
});

describe('a regression', () => {
  it('answers with the number, what it is called and its unit; a category may be unknown', async () => {
    const { app, page, ask, post } = await open('houses', HOUSES);
    try {
      assert.match(await page(), /<option value="">unknown<\/option>/);
      const house = (town: string) =>
        formOf([
          ...['90', '4', '1.5'].map((value) => ['input.numbers', value] as const),
          ['input.town', town],
        ]);
      const [{ answers }, unknown, other] = await Promise.all([
        ask(house('Bern')),
        ask(house('')),
        ask(house('Thun')),
      ]);
      const [said] = answers as readonly [Extract<ExampleWords, { value: number }>];
      assert.deepEqual([said.target, said.unit], ['price', 'kEUR']);
      assert.ok(Number.isFinite(said.value));
      assert.deepEqual(unknown.answers, other.answers);
      assert.notDeepEqual(unknown.answers, answers);
      const shown = await (await post('/predict', house('Bern'), 'text/html')).text();
      assert.match(shown, /<p class="what">price<\/p><p class="sentence"><strong class="number">-?[\d.,]+</);
      assert.match(shown, /<\/strong> kEUR/);
    } finally {
      await app.close();
    }
  });
});

describe('a picture and numbers', () => {
  it('take a picture of any size beside the numbers, and answer yes or no by name', async () => {
    const { app, page, ask, json, post, predictor } = await open('skin', SKIN);
    try {
      const shown = await page();
      assert.match(shown, /<input class="drop-input" type="file" id="input-0" name="input.photo" required/);
      assert.match(shown, /the model sees 16 × 16 in colour/);
      assert.match(shown, /<span>age <small>years<\/small><\/span>/);
      const patient = ['47', '2.5'].map((value) => ['input.patient', value] as const);
      const { answers } = await ask(formOf([['input.photo', await picture()], ...patient]));
      const [said] = answers as readonly [Extract<ExampleWords, { probability: number }>];
      assert.equal(said.label, said.holds ? 'suspicious' : 'harmless');
      // The same picture in numbers.
      const photo = Array.from({ length: 16 }, () => Array.from({ length: 16 }, () => [0, 0, 0]));
      const { predictions } = await json('/v1/models/model:predict', {
        instances: [{ photo, patient: [47, 2.5] }],
      });
      const black = await sharp({ create: { width: 9, height: 9, channels: 3, background: '#000' } })
        .png()
        .toBuffer();
      const dark = await ask(formOf([['input.photo', new Blob([new Uint8Array(black)])], ...patient]));
      const [{ probability }] = dark.answers as unknown as readonly [{ probability: number }];
      close(probability, (predictions as unknown as number[][])[0]?.[0]);
      const without = await ask(formOf(patient));
      assert.equal(without.status, 400);
      const wrong = await post(
        '/predict',
        formOf([['input.photo', new Blob(['no picture'])], ...patient]),
        'text/html',
      );
      assert.equal(wrong.status, 415);
      assert.match(await wrong.text(), /id="error" role="alert">[^<]*found a text file/);
      const odd = await ask(formOf([['other', new Blob(['x'])], ...patient]));
      assert.match(odd.error ?? '', /found it in "other"/);
      assert.equal(predictor.card()?.inputs?.[0]?.isPicture, true);
    } finally {
      await app.close();
    }
  });
});

describe('a picture of which several things may hold', () => {
  it('is answered by the names of those that do, on the page and from the command line', async () => {
    const { app, ask, directory } = await open('scenes', SCENES);
    try {
      const { answers } = await ask(formOf([[`input.${await inputName(app)}`, await picture()]]));
      const [said] = answers as readonly [Extract<ExampleWords, { holds: readonly number[] }>];
      assert.equal(said.probabilities.length, 4);
      assert.deepEqual(
        said.labels,
        said.holds.map((at) => SCENES.labels?.[at]),
      );
      const file = join(directory, 'photo.png');
      await writeFile(file, Buffer.from(await (await picture()).arrayBuffer()));
      const flags = ['--port', new URL(app.url).port, '--model', 'model', '--image', file];
      const { exitCode, stdout, stderr } = await runCommand('predict', flags);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(JSON.parse(stdout), { answers });
    } finally {
      await app.close();
    }
  });

  const inputName = async ({ url }: ServedApp) => {
    const { inputs } = (await (await fetch(`${url}/v2/models/model`)).json()) as {
      inputs: readonly { readonly name: string }[];
    };
    return inputs[0]?.name ?? '';
  };
});
