import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pacedLoad } from './paced-load.js';

const LOAD = { method: 'POST', body: Buffer.from('x'), headers: {}, connections: 4, seconds: 0.1, rate: 200 };

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('as many requests are sent as the rate says, none before it is due', async (t) => {
  const arrivals: number[] = [];
  const startedAt = performance.now();
  const url = await serve(t, (_request, response) => {
    arrivals.push(performance.now() - startedAt);
    response.end();
  });
  const { requests, non2xx, errors } = await pacedLoad({ ...LOAD, url });
  assert.deepEqual([requests.total, non2xx, errors], [20, 0, 0]);
  arrivals.forEach((at, index) => {
    assert.ok(at >= index * 5 - 1, `request ${index} came after ${at} ms`);
  });
});

test('time counts from when a request was due, also where it had to wait for a connection', async (t) => {
  const url = await serve(t, (_request, response) => {
    void delay(20).then(() => response.end());
  });
  const load = { ...LOAD, url, connections: 1, rate: 1000, seconds: 0.01 };
  const { requests, latency } = await pacedLoad(load);
  assert.equal(requests.total, 10);
  // Ten answers of 20 ms one after the other, the last request due after 9 ms.
  assert.ok(latency.max >= 10 * 19 - 9, `${latency.max} ms`);
});

test('what is sent before the measurement is not counted', async (t) => {
  let arrived = 0;
  const url = await serve(t, (_request, response) => {
    arrived++;
    void delay(arrived > 10 ? 0 : 200).then(() => response.end());
  });
  const load = { ...LOAD, url, connections: 20, warmUpSeconds: 0.05 };
  const { requests } = await pacedLoad(load);
  assert.deepEqual([arrived, requests.total], [30, 20]);
});

test('refusals and broken connections are counted apart', async (t) => {
  const statuses = [200, 503, 0];
  const url = await serve(t, (request, response) => {
    const status = statuses.shift() ?? 200;
    if (status === 0) request.socket.destroy();
    else response.writeHead(status).end();
  });
  const { requests, non2xx, errors } = await pacedLoad({ ...LOAD, url });
  assert.deepEqual([requests.total, non2xx, errors], [19, 1, 1]);
});
