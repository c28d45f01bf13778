import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Fields, type Reporter, silentReporter } from '../../lib/observability/events.js';
import { type ModelVersion, singleModel } from '../models/served-models.js';
import { digitPng } from '../testing/segment-digits.js';
import { type ServedApp, serveApp, upload } from '../testing/served-app.js';
import { type AccessFiles, readAccess } from './access.js';
import { clientAddress, createRateLimit } from './guard.js';
import { createMetrics } from './metrics.js';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('access', () => {
  let directory: string;
  let files: Required<AccessFiles>;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    files = {
      tokenFile: join(directory, 'token'),
      usersFile: join(directory, 'users'),
      adminTokenFile: join(directory, 'admin'),
    };
    await writeFile(files.tokenFile, 'secret-1\n');
    await writeFile(files.usersFile, 'anna:pass:word\nbéa:ü\n');
    await writeFile(files.adminTokenFile, 'secret-2');
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('lets in who shows a token or a password, and nobody else', async () => {
    const access = await readAccess(files);
    for (const good of [
      'Bearer secret-1',
      'bearer  secret-1',
      'Bearer secret-2',
      basic('anna:pass:word'),
      basic('béa:ü'),
    ])
      assert.ok(access.allows(good), good);
    for (const bad of [
      undefined,
      '',
      'Bearer',
      'Bearer secret',
      'secret-1',
      basic('anna:pass'),
      basic('anna'),
      'Basic ???',
    ])
      assert.ok(!access.allows(bad), bad);
    assert.ok(access.allowsAdmin('Bearer secret-2'));
    assert.ok(!access.allowsAdmin('Bearer secret-1'));
    const open = await readAccess({});
    assert.ok(
      open.isOpen && open.allows(undefined) && !open.hasAdmin && !open.allowsAdmin('Bearer undefined'),
    );
  });

  it('says which file holds no secret', async () => {
    await writeFile(join(directory, 'empty'), '\n');
    await writeFile(join(directory, 'words'), 'two words');
    const of = (name: string) => join(directory, name);
    await assert.rejects(
      readAccess({ tokenFile: of('empty') }),
      /empty: expected one token, found an empty file\.$/,
    );
    await assert.rejects(readAccess({ adminTokenFile: of('words') }), /found several words\.$/);
    await assert.rejects(readAccess({ usersFile: of('words') }), /expected user:password, one a line/);
    await assert.rejects(
      readAccess({ tokenFile: of('none') }),
      /none: expected a file with a token, found no such file/,
    );
  });

  it('guards everything but the probes, and the way back even more', async () => {
    const access = await readAccess(files);
    let rolledBack = 0;
    const app: ServedApp = await serveApp({
      access,
      rollback: () => {
        rolledBack++;
        const version: ModelVersion = { version: 4, loadedAt: new Date(), predictor: app.predictor };
        return rolledBack === 1 ? version : undefined;
      },
    });
    const ask = async (path: string, authorization?: string, method = 'GET') => {
      const response = await fetch(app.url + path, {
        method,
        headers: authorization === undefined ? {} : { Authorization: authorization },
      });
      await response.arrayBuffer();
      return response;
    };
    try {
      for (const path of [
        '/',
        '/model',
        '/metrics',
        '/v2',
        '/v1/models/model',
        '/static/page.css',
        '/openapi.json',
        '/none',
      ]) {
        const refused = await ask(path);
        assert.equal(refused.status, 401, path);
        assert.match(refused.headers.get('www-authenticate') ?? '', /^Basic realm="fedbatch"/);
      }
      for (const path of ['/healthz', '/readyz', '/v2/health/live', '/v2/health/ready'])
        assert.equal((await ask(path)).status, 200, path);
      assert.equal((await ask('/model', 'Bearer secret-1')).status, 200);
      assert.equal((await ask('/', basic('anna:pass:word'))).status, 200);
      assert.equal((await ask('/admin/rollback', 'Bearer secret-1', 'POST')).status, 401);
      assert.equal(rolledBack, 0);
      assert.equal((await ask('/admin/rollback', 'Bearer secret-2', 'POST')).status, 200);
      assert.equal((await ask('/admin/rollback', 'Bearer secret-2', 'POST')).status, 409);
    } finally {
      await app.close();
    }
  });
});

describe('the rate limit', () => {
  it('answers 429 to one client and keeps answering others, by the addresses that trusted proxies tell', async () => {
    const rateLimit = createRateLimit(3);
    const app = await serveApp({ rateLimit, trustedProxies: 1 });
    const ask = async (address: string) => {
      const response = await fetch(`${app.url}/model`, { headers: { 'X-Forwarded-For': address } });
      await response.arrayBuffer();
      return response;
    };
    try {
      const statuses = [];
      for (let request = 0; request < 4; request++) statuses.push((await ask('1.2.3.4')).status);
      assert.deepEqual(statuses, [200, 200, 200, 429]);
      assert.equal(
        (await ask('9.9.9.9, 1.2.3.4')).status,
        429,
        'what a client writes itself is not believed',
      );
      assert.match((await ask('1.2.3.4')).headers.get('retry-after') ?? '', /^\d+$/);
      assert.equal((await ask('1.2.3.5')).status, 200);
      assert.equal(
        (await fetch(`${app.url}/healthz`, { headers: { 'X-Forwarded-For': '1.2.3.4' } })).status,
        200,
      );
    } finally {
      rateLimit.close();
      await app.close();
    }
  });

  it('counts an IPv6 network as one client, and an IPv4 address however it is written', async () => {
    const rateLimit = createRateLimit(2);
    try {
      for (const [first, second, third, other] of [
        ['2001:db8:1:2::1', '2001:db8:1:2:3::', '[2001:DB8:1:2::2]:80', '2001:db8:2::1'],
        ['::ffff:10.0.0.1', '10.0.0.1', '10.0.0.1:80', '10.0.0.2'],
      ] as const) {
        await rateLimit.count(first);
        await rateLimit.count(second);
        await assert.rejects(rateLimit.count(third), { status: 429 });
        await rateLimit.count(other);
      }
    } finally {
      rateLimit.close();
    }
  });

  it('believes nobody about addresses by default', () => {
    const request = {
      socket: { remoteAddress: '10.0.0.1' },
      headers: { 'x-forwarded-for': 'a, b' },
    } as unknown as IncomingMessage;
    assert.equal(clientAddress(request, 0), '10.0.0.1');
    assert.equal(clientAddress(request, 1), 'b');
    assert.equal(clientAddress(request, 2), 'a');
    assert.equal(clientAddress(request, 9), 'a');
  });
});

describe('metrics and the log of requests', () => {
  it('count requests, batches, predictions and confidence, in a bounded number of series', async () => {
    const metrics = createMetrics();
    const told: Fields[] = [];
    const reporter: Reporter = {
      ...silentReporter,
      info: (_message, fields = {}) => void told.push(fields),
    };
    const app = await serveApp({ metrics, reporter, logsRequests: true });
    const models = singleModel(app.predictor);
    metrics.watch(models, () => 5);
    metrics.predicted(
      { images: 2, probabilities: Float32Array.of(0.1, 0.9, 0.8, 0.2) },
      { version: 1, card: { labels: ['cat', 'dog'] } },
    );
    // Numbers of a regression are counted as a batch alone.
    metrics.predicted(
      { images: 1, probabilities: Float32Array.of(7) },
      { version: 1, card: { task: 'regression' } },
    );
    try {
      await upload(app.url, await digitPng(1));
      for (let index = 0; index < 20; index++)
        await fetch(`${app.url}/made-up-${index}`, { method: 'DELETE' });
      await fetch(`${app.url}/v1/models/model:predict`, {
        method: 'POST',
        body: '{}',
        headers: { 'X-Request-Id': 'my-id' },
      });
      const response = await fetch(`${app.url}/metrics`);
      assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
      const text = await response.text();
      for (const line of [
        'fedbatch_request_duration_seconds_count{route="/upload",method="POST",status="200"} 1',
        'fedbatch_request_duration_seconds_count{route="other",method="other",status="404"} 20',
        'fedbatch_request_duration_seconds_count{route="/v1:predict",method="POST",status="400"} 1',
        'fedbatch_batch_images_sum 3',
        'fedbatch_predictions_total{class="cat",model_version="1"} 1',
        'fedbatch_predictions_total{class="dog",model_version="1"} 1',
        'fedbatch_prediction_confidence_count 2',
        `fedbatch_model_info{model="model",version="1",sha256="${app.sha256}"} 1`,
        'fedbatch_model_refused 0',
        'fedbatch_waiting_images 5',
      ])
        assert.ok(text.includes(`\n${line}\n`), line);
      const logged = told.find(({ requestId }) => requestId === 'my-id');
      assert.equal(logged?.path, '/v1/models/model:predict');
      assert.equal(logged?.status, 400);
      assert.equal(typeof logged?.ms, 'number');
    } finally {
      await app.close();
    }
  });
});
