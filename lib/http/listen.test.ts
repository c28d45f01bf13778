import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { listenAt } from './listen.js';

/** Refuses everything without a look at the body; tells the connections. */
async function refuse(t: TestContext, before: (request: IncomingMessage) => void = () => undefined) {
  const sockets = new Set<Socket>();
  const app = (asked: IncomingMessage, response: ServerResponse) => {
    sockets.add(asked.socket);
    before(asked);
    response.writeHead(503).end('no');
  };
  const server = await listenAt(app, { host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  return { url: server.url, sockets };
}

test('a client that sends its whole body before it reads gets its answer', async (t) => {
  for (const before of [
    undefined,
    (asked: IncomingMessage) => void asked.on('readable', () => asked.read()),
  ]) {
    const { url } = await refuse(t, before);
    const body = Buffer.alloc(3_000_000);
    const sent = request(url, { method: 'POST', headers: { 'Content-Length': body.length } });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    await new Promise<void>((resolve, reject) => sent.once('error', reject).end(body, () => resolve()));
    const [response] = await answered;
    assert.equal(response.statusCode, 503);
    response.resume();
  }
});

test('bodies that go on after their answer are hardly read', async (t) => {
  const { url, sockets } = await refuse(t);
  const { hostname, port } = new URL(url);
  const part = Buffer.alloc(65_536);
  const clients = Array.from({ length: 30 }, () => {
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n');
    const send = () => socket.destroyed || socket.write(part, send);
    send();
    return socket;
  });
  t.after(() => {
    for (const socket of clients) socket.destroy();
  });
  while (sockets.size < clients.length) await delay(10);
  const read = () => [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  const before = read();
  await delay(500);
  // A hundred turns of one or two parts, and what each connection may have had at once.
  assert.ok(read() - before < 30e6, `${(read() - before) / 1e6} MB`);
});
