import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextRound } from 'node:timers/promises';
import { readInTurns } from './body-parts.js';

/** Serves what `take` makes of each body: answers with its bytes. */
async function serve(t: TestContext, take: (part: Buffer) => Promise<unknown> | undefined): Promise<string> {
  const server = createServer((request: IncomingMessage, response) => {
    const parts: Buffer[] = [];
    readInTurns(request, (part) => {
      parts.push(part);
      return take(part);
    });
    request.once('end', () => response.end(Buffer.concat(parts)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Bytes that tell where they are. */
const bodyOf = (seed: number, size: number) =>
  Buffer.from(Uint32Array.from({ length: size / 4 }, (_, at) => seed + at).buffer);

test('bodies arrive whole and in order, large and small, taken at once or in time', async (t) => {
  const waits: readonly ((part: Buffer) => Promise<unknown> | undefined)[] = [
    () => undefined,
    () => nextRound(),
    ({ length }) => (length % 3 === 0 ? nextRound() : undefined),
  ];
  for (const take of waits) {
    const url = await serve(t, take);
    const bodies = Array.from({ length: 30 }, (_, at) =>
      bodyOf(at * 1_000_000, at % 3 === 0 ? 400 : 400_000),
    );
    const answers = await Promise.all(
      bodies.map(async (body) =>
        Buffer.from(await (await fetch(url, { method: 'POST', body: new Uint8Array(body) })).arrayBuffer()),
      ),
    );
    for (const [at, answer] of answers.entries())
      assert.ok(answer.equals(bodies[at] as Buffer), `body ${at}`);
  }
});

test('who goes away while waiting for a turn leaves the others theirs', async (t) => {
  const url = await serve(t, () => nextRound());
  const { port } = new URL(url);
  for (let at = 0; at < 20; at++) {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined);
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n';
    socket.write(head + 'a'.repeat(300_000), () => socket.destroy());
  }
  const body = bodyOf(7, 400_000);
  const answer = await (await fetch(url, { method: 'POST', body: new Uint8Array(body) })).arrayBuffer();
  assert.ok(Buffer.from(answer).equals(body));
});
