import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { createWorkerPredictor } from '../models/worker-predictor.js';
import { digitPng } from '../testing/segment-digits.js';
import { type ServedApp, serveApp } from '../testing/served-app.js';
import { FLOWERS, HOUSES, SCENES, SKIN, type TaskModel, writeTaskModel } from '../testing/task-model.js';

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: object; readonly example?: object }>>;
}
interface Operation {
  readonly operationId: string;
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<
    Record<
      string,
      {
        readonly get?: Operation;
        readonly post?: Operation;
        readonly parameters?: readonly { name: string; example: string }[];
      }
    >
  >;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const image = Array.from({ length: 28 }, () => Array.from({ length: 28 }, () => [0.5]));

/** A body for each operation that wants one. */
const BODIES: Readonly<Record<string, object>> = {
  predict: { instances: [image] },
  predictVersion: { inputs: { x: [image] } },
  predictLabel: { instances: [{ x: image }], signature_name: 'serving_default' },
  classify: { examples: [{ x: image.flat(2) }] },
  infer: { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 784], data: image.flat(2) }] },
  inferVersion: { id: '1', inputs: [{ name: 'x', datatype: 'FP64', shape: [28, 28], data: image.flat(2) }] },
};

/** The document of a running server, and what checks values by it. */
async function documentOf({ url }: ServedApp) {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Document;
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  ajv.addSchema({ $id: 'https://example.org/document', ...document });
  const validate = (schema: object, value: unknown, what: string) => {
    const text = JSON.stringify(schema).replaceAll('"#/', '"https://example.org/document#/');
    const check = ajv.compile(JSON.parse(text) as object);
    assert.ok(
      check(value),
      `${what}: ${ajv.errorsText(check.errors)} in ${JSON.stringify(value).slice(0, 300)}`,
    );
  };
  const operations = Object.entries(document.paths).flatMap(([template, { get, post, parameters = [] }]) => {
    const path = parameters.reduce((text, { name, example }) => text.replace(`{${name}}`, example), template);
    return [
      ...(get === undefined ? [] : [{ method: 'GET', path, operation: get }]),
      ...(post === undefined ? [] : [{ method: 'POST', path, operation: post }]),
    ];
  });
  async function checkAnswer(response: Response, { responses, operationId }: Operation) {
    const described = responses[String(response.status)];
    assert.ok(described, `${operationId} answers ${response.status}, which is not described`);
    const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
    const schema = described.content?.[type]?.schema;
    assert.ok(schema, `${operationId} answers ${type}, which is not described`);
    const text = await response.text();
    validate(schema, type === 'application/json' ? JSON.parse(text) : text, `the answer of ${operationId}`);
  }
  return { document, validate, operations, checkAnswer };
}

describe('the OpenAPI document', () => {
  let app: ServedApp;
  let told: Awaited<ReturnType<typeof documentOf>>;
  before(async () => {
    app = await serveApp();
    told = await documentOf(app);
  });
  after(() => app.close());

  it('describes every route, each operation once, and every schema it names', () => {
    const { document, operations } = told;
    assert.equal(document.openapi, '3.1.0');
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.length >= 18, String(ids.length));
    for (const [, name = ''] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      assert.ok(name in document.components.schemas, name);
  });

  it('is what the running server does: each operation answers as it says', async () => {
    for (const { method, path, operation } of told.operations) {
      const { operationId, requestBody } = operation;
      const json = BODIES[operationId];
      let body: FormData | string | undefined;
      if (operationId === 'upload') {
        body = new FormData();
        body.append('file', new Blob([new Uint8Array(await digitPng(3))]), '3.png');
      } else if (operationId === 'ask') {
        body = new FormData();
        body.append('file', new Blob([image.flat(2).join()]), 'row.csv');
      } else if (json !== undefined) {
        const schema = requestBody?.content?.['application/json']?.schema;
        assert.ok(schema, operationId);
        told.validate(schema, json, `the request of ${operationId}`);
        body = JSON.stringify(json);
      } else assert.equal(requestBody, undefined, `${operationId} wants a body that this test does not have`);
      const response = await fetch(app.url + path, { method, ...(body === undefined ? {} : { body }) });
      // Nobody may roll back a server without an admin token.
      assert.equal(response.status, operationId === 'rollback' ? 403 : 200, `${method} ${path}`);
      await told.checkAnswer(response, operation);
    }
  });

  it('describes an answer in pictures', async () => {
    const body = new FormData();
    body.append('file', new Blob([new Uint8Array(await digitPng(3))]), '3.png');
    const response = await fetch(`${app.url}/upload?explain`, { method: 'POST', body });
    assert.ok('explanation' in ((await response.clone().json()) as object));
    await told.checkAnswer(response, told.document.paths['/upload']?.post as Operation);
  });

  it('describes the failures too', async () => {
    for (const { method, path, operation } of told.operations) {
      const wrong = method === 'POST' ? '{"nothing":1}' : undefined;
      const at = path.replace('/models/model', '/models/absent');
      const response = await fetch(app.url + (wrong === undefined ? at : path), {
        method,
        ...(wrong === undefined ? {} : { body: wrong, headers: { 'Content-Type': 'application/json' } }),
      });
      assert.ok(response.status < 500, `${method} ${path}: ${response.status}`);
      await told.checkAnswer(response, operation);
    }
  });
});

describe('the OpenAPI document of a model', () => {
  const fixture = (name: string) =>
    new URL(`../../../lib/model/keras/fixtures/outputs-${name}-keras3.h5`, import.meta.url).pathname;
  const written = (name: string, model: TaskModel) => async () => {
    const directory = join(sharedDirectory(), `openapi-${name}`);
    await mkdir(directory, { recursive: true });
    return writeTaskModel(directory, model);
  };
  const models = {
    'of a table with categories': { path: written('flowers', FLOWERS), bodies: 7 },
    'of a regression': { path: written('houses', HOUSES), bodies: 6 },
    'of a picture and numbers': { path: written('skin', SKIN), bodies: 6 },
    'of labels in a picture': { path: written('scenes', SCENES), bodies: 6 },
    'of several outputs': { path: async () => fixture('several'), bodies: 6 },
    'of steps': { path: async () => fixture('characters'), bodies: 6 },
  };
  for (const [name, { path: modelPath, bodies }] of Object.entries(models)) {
    it(`${name} has requests that work as they are pasted, and tells the form of each answer`, async () => {
      const predictor = await createWorkerPredictor({ modelPath: await modelPath(), threads: 1 });
      const app = await serveApp({ predictor });
      try {
        const { operations, validate, checkAnswer } = await documentOf(app);
        let pasted = 0;
        for (const { method, path, operation } of operations) {
          const [[type = '', { schema, example } = { schema: {} }] = []] = Object.entries(
            operation.requestBody?.content ?? {},
          );
          if (method === 'POST' && example === undefined) continue;
          let body: FormData | string | undefined;
          if (example !== undefined) {
            validate(schema, example, `the request of ${operation.operationId}`);
            body = type === 'application/json' ? JSON.stringify(example) : formOf(example);
            pasted++;
          }
          const response = await fetch(app.url + path, { method, ...(body === undefined ? {} : { body }) });
          const text = await response.clone().text();
          assert.equal(response.status, 200, `${operation.operationId}: ${text.slice(0, 300)}`);
          await checkAnswer(response, operation);
        }
        assert.equal(pasted, bodies);
      } finally {
        await app.close();
      }
    });
  }
});

/** A form of the fields of an example. */
function formOf(example: object): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(example))
    for (const each of [value].flat() as readonly unknown[]) form.append(name, String(each));
  return form;
}
