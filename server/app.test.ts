import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sha256 as hash } from '../lib/formats/files/read-file.js';
import { type Reporter, silentReporter } from '../lib/observability/events.js';
import { requireValid } from '../test/results.js';
import type { Predictor } from './models/predictor.js';
import { digitPng, linesPng, ON_PAPER } from './testing/segment-digits.js';
import { type ServedApp, serveApp, type UploadAnswer, upload } from './testing/served-app.js';

const readJson = async (response: Response) => (await response.json()) as UploadAnswer;

/** Asserts a failure in JSON: status, sentence, no stack. */
async function assertProblem(response: Response, status: number, sentence: RegExp): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  const answer = JSON.parse(text) as { error: string; status: number; requestId: string };
  assert.match(answer.error, sentence);
  assert.equal(answer.status, status);
  assert.equal(answer.requestId, response.headers.get('x-request-id'));
  assert.doesNotMatch(text, /\bat .*\.[jt]s:\d+|node_modules/, 'no stack');
}

/** Sends the head of an upload and `bytes` of its image, and no end. */
function beginUpload(url: string, bytes: number) {
  const headers = { 'Content-Type': 'multipart/form-data; boundary=edge' };
  const request = httpRequest(`${url}/upload`, { method: 'POST', headers });
  request.on('error', () => {});
  request.write(
    '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n',
  );
  const sent = new Promise<void>((resolve) => request.write(Buffer.alloc(bytes), () => resolve()));
  return { request, sent };
}

describe('the web application', () => {
  let app: ServedApp;
  before(async () => {
    app = await serveApp({ limits: { maxFileBytes: 200_000 } });
  });
  after(() => app.close());

  it('reads every digit and answers exactly what clients rely on', async () => {
    for (let digit = 0; digit < 10; digit++) {
      const response = await upload(app.url, await digitPng(digit));
      assert.equal(response.status, 200);
      const answer = await readJson(response);
      assert.equal(answer.prediction, digit);
      assert.equal(answer.probabilities.length, 10);
      assert.ok(Math.abs(answer.probabilities.reduce((sum, share) => sum + share, 0) - 1) < 1e-5);
      assert.equal(answer.probabilities.indexOf(Math.max(...answer.probabilities)), digit);
      assert.equal(answer.pixels.length, 28);
      assert.ok(
        answer.pixels.every((row) => row.length === 28 && row.every((level) => level >= 0 && level <= 255)),
      );
      assert.equal(answer.blank, undefined);
    }
  });

  it('tells of its model as docs/schemas says', async () => {
    requireValid('model', await (await fetch(`${app.url}/model`)).json());
  });

  it('reads a large picture of dark ink on paper', async () => {
    const answer = await readJson(await upload(app.url, await digitPng(3, ON_PAPER)));
    assert.equal(answer.prediction, 3);
  });

  it('says that it found nothing in a blank picture, and guesses nothing', async () => {
    const even = await digitPng(8, { ink: [9, 9, 9], paper: [9, 9, 9] });
    const response = await upload(app.url, even);
    assert.equal(response.status, 200);
    const { pixels, ...answer } = await readJson(response);
    assert.deepEqual(answer, {
      ...{ prediction: null, probabilities: [], digits: [], lines: [] },
      ...{ blank: true, message: 'Nothing to read was found in the picture.' },
    });
    assert.deepEqual([pixels.length, Math.max(...pixels.flat())], [28, 0]);
    const page = await (await upload(app.url, even, { accept: 'text/html' })).text();
    assert.match(page, /data-state="blank"/);
    assert.match(page, /Nothing to read was found in the picture\./);
    assert.match(page, /id="digit"[^>]*>–</);
  });

  it('reads two lines from the top, and says where each digit stands', async () => {
    const answer = await readJson(
      await upload(
        app.url,
        await linesPng([
          [4, 2],
          [1, 7, 5],
        ]),
      ),
    );
    assert.deepEqual(answer.lines, ['42', '175']);
    assert.deepEqual(
      answer.digits.map(({ prediction, line }) => [prediction, line]),
      [
        [4, 1],
        [2, 1],
        [1, 2],
        [7, 2],
        [5, 2],
      ],
    );
    assert.deepEqual([answer.prediction, answer.blank], [4, undefined]);
  });

  it('answers a browser with a page that needs no JavaScript', async () => {
    const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    const response = await upload(app.url, await digitPng(7), { accept });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(response.headers.get('vary') ?? '', /Accept/);
    const page = await response.text();
    assert.match(
      page,
      /<div class="frame digit" id="digit" data-length="1" data-lines="1" aria-hidden="true">7<\/div>/,
    );
    assert.match(page, /It looks like a <strong>7<\/strong>, \d+\.\d % sure\./);
    assert.equal(page.match(/<li[ >]/g)?.length, 20, 'ten samples, ten bars');
    assert.match(page, /<img[^>]* id="given"[^>]* src="data:image\/png;base64,/, 'the picture');
    assert.match(page, /<img[^>]* id="seen"[^>]* src="data:image\/png;base64,/, 'what the model saw');
    assert.match(page, /<figure class="step"><img src="data:image\/png;base64,[^>]*><figcaption>grey</);
    assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=/, 'nothing inline');
  });

  it('answers JSON to who takes anything', async () => {
    assert.equal((await readJson(await upload(app.url, await digitPng(1), { accept: '*/*' }))).prediction, 1);
  });

  it('shows the page with form, samples and the facts of the model', async () => {
    const response = await fetch(app.url, { headers: { Accept: 'text/html' } });
    const page = await response.text();
    assert.equal(response.status, 200);
    assert.match(page, /<form[^>]*action="\/upload#answer" method="post" enctype="multipart\/form-data"/);
    assert.match(page, new RegExp(`title="${app.sha256}">${app.sha256.slice(0, 12)}<`));
    assert.match(page, /<dd>aggregated-model\.h5<\/dd>/);
    assert.match(page, /href="\/samples\/digit-4\.png\/result"[^>]*aria-label="Sample: digit 4"/);
    for (const path of [
      '/static/page.css',
      '/static/page.js',
      '/static/ask.js',
      '/static/result.js',
      '/static/words.js',
      '/static/pad.js',
      '/static/history.js',
      '/static/icon.svg',
    ]) {
      assert.equal((await fetch(app.url + path)).status, 200, path);
    }
  });

  it('serves the samples and, without JavaScript, what the model reads in them', async () => {
    const sample = await fetch(`${app.url}/samples/digit-4.png`);
    assert.equal(sample.headers.get('content-type'), 'image/png');
    assert.deepEqual(Buffer.from(await sample.arrayBuffer()), app.samples[4]?.png);
    const page = await (await fetch(`${app.url}/samples/digit-4.png/result`)).text();
    assert.match(page, /It looks like a <strong>4<\/strong>/);
    assert.match(page, /src="\/samples\/digit-4\.png"/);
    await assertProblem(await fetch(`${app.url}/samples/none.png`), 404, /no such sample/);
    await assertProblem(await fetch(`${app.url}/samples/..%2Fpackage.json`), 404, /no such sample/);
  });

  it('tells its health and its model', async () => {
    assert.deepEqual(await (await fetch(`${app.url}/healthz`)).json(), { status: 'ok' });
    assert.deepEqual(await (await fetch(`${app.url}/readyz`)).json(), { status: 'ready' });
    const { versions, ...model } = (await (await fetch(`${app.url}/model`)).json()) as {
      versions: readonly { readonly loadedAt: string }[];
    };
    const [{ loadedAt = '' } = {}] = versions;
    assert.deepEqual(versions, [{ version: 1, sha256: app.sha256, loadedAt }]);
    assert.ok(Math.abs(Date.now() - Date.parse(loadedAt)) < 600_000);
    assert.deepEqual(model, {
      name: 'model',
      version: 1,
      file: 'aggregated-model.h5',
      sha256: app.sha256,
      inputShape: [28, 28, 1],
      classes: 10,
      engine: 'onnx/cpu',
      signature: { input: 'flatten_input', output: 'dense' },
    });
  });

  it('refuses a form without a file, with its file elsewhere, or with two', async () => {
    const post = (body?: FormData | string, headers = {}) =>
      fetch(`${app.url}/upload`, { method: 'POST', ...(body === undefined ? {} : { body }), headers });
    await assertProblem(await post(), 400, /No file was sent: expected an image in the field "file"/);
    await assertProblem(await post(new FormData()), 400, /No file was sent|malformed/);
    const text = new FormData();
    text.append('file', 'seven');
    await assertProblem(await post(text), 400, /No file was sent/);
    await assertProblem(
      await upload(app.url, await digitPng(1), { field: 'image' }),
      400,
      /in the field "file", found it in "image"/,
    );
    const two = new FormData();
    for (const name of ['a.png', 'b.png'])
      two.append('file', new Blob([new Uint8Array(await digitPng(1))]), name);
    await assertProblem(await post(two), 400, /one image at a time/);
    const many = new FormData();
    for (let field = 0; field < 40; field++) many.append(`f${field}`, 'x');
    await assertProblem(await post(many), 400, /too many/);
    await assertProblem(
      await post('{}', { 'Content-Type': 'application/json' }),
      415,
      /Expected multipart\/form-data .* found application\/json/,
    );
    await assertProblem(await post('x', { 'Content-Type': 'multipart/form-data' }), 400, /malformed/);
    await assertProblem(
      await post('--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nabc', {
        'Content-Type': 'multipart/form-data; boundary=b',
      }),
      400,
      /malformed/,
    );
  });

  it('refuses too large a file, however long it is', async () => {
    await assertProblem(await upload(app.url, new Uint8Array(200_001)), 413, /too large: at most 0\.2 MB/);
    await assertProblem(await upload(app.url, new Uint8Array(1_500_000)), 413, /too large/);
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(`${app.url}/upload`, {
        method: 'POST',
        headers: { 'Content-Type': 'multipart/form-data; boundary=b', 'Content-Length': 50_000_000_000 },
      });
      request.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
      request.flushHeaders();
    });
    assert.equal(status, 413, 'by its headers alone');
    const atLimit = Buffer.concat([await digitPng(6), Buffer.alloc(200_000)]).subarray(0, 200_000);
    assert.equal((await upload(app.url, atLimit)).status, 200, 'at the limit it is taken');
  });

  it('refuses unknown addresses and methods, in JSON or as a page', async () => {
    await assertProblem(await fetch(`${app.url}/nowhere`), 404, /There is nothing at \/nowhere/);
    await assertProblem(await fetch(`${app.url}/static/../../package.json`), 404, /nothing/);
    await assertProblem(await fetch(`${app.url}/static/%2e%2e%2fapp.js`), 404, /nothing/);
    await assertProblem(await fetch(`${app.url}/%E0%A4%A`), 404, /nothing/);
    const deletion = await fetch(`${app.url}/upload`, { method: 'DELETE' });
    assert.equal(deletion.headers.get('allow'), 'POST');
    await assertProblem(deletion, 405, /DELETE is not allowed here; use POST/);
    await assertProblem(await fetch(`${app.url}/`, { method: 'POST' }), 405, /use GET or HEAD/);
    assert.equal((await fetch(`${app.url}/upload`)).status, 405);
    assert.equal((await fetch(`${app.url}/`, { method: 'HEAD' })).status, 200);
    const page = await fetch(`${app.url}/<script>alert(1)</script>`, { headers: { Accept: 'text/html' } });
    assert.equal(page.status, 404);
    const text = await page.text();
    assert.match(text, /Back to the page/);
    assert.doesNotMatch(text, /<script>alert/);
  });

  it('shows a browser what was wrong where the picture was given, escaped', async () => {
    const accept = 'text/html';
    const response = await upload(app.url, await digitPng(1), { field: '<script>alert(1)</script>', accept });
    const page = await response.text();
    assert.equal(response.status, 400);
    assert.match(
      page,
      /<p class="error" id="error" role="alert">Expected the image in the field &quot;file&quot;, found it in &quot;&lt;script&gt;/,
    );
    assert.match(page, /<form/);
    assert.doesNotMatch(page, /<script>alert/);
  });

  it('sends headers that keep foreign content out and itself unnamed', async () => {
    const { headers } = await fetch(app.url);
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.match(policy, /style-src 'self'(;|$)/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('x-powered-by'), null);
    assert.equal(headers.get('cache-control'), 'no-store');
    const given = await fetch(app.url, { headers: { 'X-Request-Id': 'abc-123' } });
    assert.equal(given.headers.get('x-request-id'), 'abc-123');
    const bad = await fetch(app.url, { headers: { 'X-Request-Id': 'a b"c' } });
    assert.match(bad.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
  });

  it('answers 200 uploads at once, each its own', async () => {
    const pictures = await Promise.all(
      Array.from({ length: 10 }, (_, digit) => digitPng(digit, digit % 2 ? ON_PAPER : {})),
    );
    const found = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const response = await upload(app.url, pictures[index % 10] as Buffer);
        assert.equal(response.status, 200);
        return (await readJson(response)).prediction;
      }),
    );
    assert.deepEqual(
      found,
      found.map((_, index) => index % 10),
    );
  });
});

describe('the web application under load and without its model', () => {
  it('answers 503 to more uploads than may wait, and goes on', async () => {
    const app = await serveApp({ limits: { maxRunning: 1, maxWaiting: 1 } });
    try {
      const png = await digitPng(2);
      const responses = await Promise.all(Array.from({ length: 30 }, () => upload(app.url, png)));
      const refused = responses.filter(({ status }) => status === 503);
      assert.ok(refused.length > 0 && refused.length < 30, `${refused.length} refused`);
      assert.ok(responses.every(({ status }) => status === 200 || status === 503));
      assert.equal(refused[0]?.headers.get('retry-after'), '1');
      await assertProblem(refused[0] as Response, 503, /Too many uploads/);
      assert.equal((await upload(app.url, png)).status, 200);
    } finally {
      await app.close();
    }
  });

  it('is held up by no slow uploads, and bounds what all of them take in memory', async () => {
    const app = await serveApp({ limits: { maxRunning: 1, maxWaiting: 1, maxHeldBytes: 100_000 } });
    const slow = Array.from({ length: 3 }, () => beginUpload(app.url, 30_000));
    try {
      await Promise.all(slow.map(({ sent }) => sent));
      const png = await digitPng(6);
      const quick = await Promise.race([upload(app.url, png), delay(120_000, undefined, { ref: false })]);
      assert.equal(quick?.status, 200, 'answered while the others are still arriving');
      // 90,000 bytes are held already.
      await assertProblem(await upload(app.url, new Uint8Array(50_000)), 503, /Too many uploads/);
      for (const { request } of slow) request.destroy();
      const after = async () => (await upload(app.url, new Uint8Array(50_000))).status;
      while ((await after()) === 503) await delay(20);
      assert.notEqual(await after(), 503, 'what was held is given back');
    } finally {
      for (const { request } of slow) request.destroy();
      await app.close();
    }
  });

  it('is alive but not ready without a model, and says so', async () => {
    const app = await serveApp();
    try {
      await app.predictor.close();
      while (app.predictor.card() !== undefined) await new Promise(setImmediate);
      assert.equal((await fetch(`${app.url}/healthz`)).status, 200);
      assert.equal((await fetch(`${app.url}/readyz`)).status, 503);
      await assertProblem(await fetch(`${app.url}/model`), 503, /not loaded/);
      const refused = await upload(app.url, await digitPng(1));
      assert.equal(refused.headers.get('retry-after'), '1');
      await assertProblem(refused, 503, /not loaded/);
      assert.match(await (await fetch(app.url)).text(), /The model is not loaded yet/);
    } finally {
      await app.close();
    }
  });

  it('reports a fault of its own with the id of the request, and tells the client nothing of it', async () => {
    const told: { message: string; fields: unknown }[] = [];
    const reporter: Reporter = {
      ...silentReporter,
      error: (message, fields) => void told.push({ message, fields }),
    };
    const faulty: Predictor = {
      card: () => ({
        file: 'm.h5',
        sha256: hash(''),
        inputShape: [28, 28, 1],
        classes: 10,
        engine: 'none',
        signature: { input: 'x', output: 'y' },
      }),
      predict: () => Promise.reject(new Error('secret detail')),
      close: () => Promise.resolve(),
    };
    const app = await serveApp({ predictor: faulty, reporter });
    try {
      const response = await upload(app.url, await digitPng(1));
      const id = response.headers.get('x-request-id');
      const text = await response.clone().text();
      await assertProblem(response, 500, /Something went wrong in the server/);
      assert.doesNotMatch(text, /secret/);
      assert.match(told[0]?.message ?? '', /secret detail/);
      assert.equal((told[0]?.fields as { requestId: string } | undefined)?.requestId, id);
    } finally {
      await app.close();
    }
  });
});
