import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { InterruptedError, StorageError } from '../lib/core/errors.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { type ProgressEvent, type Reporter, silentReporter } from '../lib/observability/events.js';
import { type DownloadOptions, download } from './download.js';
import { DownloadError } from './download-error.js';
import { appendToPart, lockPart, partPath, startPart } from './part.js';
import { requestRest } from './range-request.js';
import { sendRange, serveForTest, type TestAnswer, type TestServer } from './testing/test-server.js';

/** Not repeating, so that bytes in the wrong place are noticed. */
const BYTES = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7919 + (at >> 8) * 31) & 255);
/** No server of these tests is silent for so long, however busy the machine is; where one is to be, the test says. */
const PATIENCE = { attempts: 3, backOffMs: 5, stallMs: 60_000 };

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  file = join(directory, 'below', 'file.npz');
});
afterEach(() => rm(directory, { recursive: true }));

async function serve(t: TestContext, answer: TestAnswer): Promise<TestServer> {
  const server = await serveForTest(answer);
  t.after(() => server.close());
  return server;
}

function options(server: { readonly url: string }, more: Partial<DownloadOptions> = {}): DownloadOptions {
  const { url } = server;
  return { url, file, sha256: sha256(BYTES), reporter: silentReporter, patience: PATIENCE, ...more };
}

/** Breaks a connection after 60,000 bytes, when all of them lie in the part. */
const CUT = {
  after: 60_000,
  arrived: async (upTo: number) => {
    const size = () =>
      stat(partPath(file)).then(
        (found) => found.size,
        () => 0,
      );
    while ((await size()) < upTo) await sleep(2);
  },
};

/** The file is whole, and nothing else is left. */
async function assertDone(): Promise<void> {
  assert.equal(sha256(await readFile(file)), sha256(BYTES));
  assert.deepEqual(await readdir(join(directory, 'below')), ['file.npz']);
}

/** The download fails so, and no file appears. */
async function assertFails(settings: DownloadOptions, kind: string, message: RegExp): Promise<void> {
  await assert.rejects(download(settings), (error) => {
    assert.ok(error instanceof DownloadError, String(error));
    assert.equal(error.failure.kind, kind);
    assert.match(error.message, message);
    return true;
  });
  assert.ok(!existsSync(file));
}

test('a whole file arrives, with progress in bytes up to its size', async (t) => {
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  const events: ProgressEvent[] = [];
  const reporter: Reporter = { ...silentReporter, progress: (event) => events.push(event) };
  await download(options(server, { reporter }));
  await assertDone();
  assert.deepEqual(server.requests, [{ range: undefined, ifRange: undefined }]);
  const last = { stage: 'download', done: BYTES.length, total: BYTES.length, unit: 'bytes' };
  assert.deepEqual(events.at(-1), last);
  assert.ok(events.every(({ done, total }) => done <= total));
});

test('cut in the middle, it resumes from there under the same version', async (t) => {
  const server = await serve(t, (request, response, turn) =>
    sendRange(request, response, { bytes: BYTES, cut: turn < 4 ? CUT : undefined }),
  );
  await download(options(server));
  await assertDone();
  // More cuts than attempts: whoever makes progress is not given up.
  assert.equal(server.requests.length, 5);
  const starts = server.requests.map(({ range }) => range);
  assert.deepEqual(starts, [undefined, ...[60, 120, 180, 240].map((kilo) => `bytes=${kilo}000-`)]);
  assert.ok(server.requests.slice(1).every(({ ifRange }) => ifRange === '"v1"'));
});

test('a server that ignores ranges is asked again, and its whole answer taken from the start', async (t) => {
  const server = await serve(t, (request, response, turn) => {
    delete request.headers.range;
    sendRange(request, response, { bytes: BYTES, cut: turn === 0 ? CUT : undefined });
  });
  await download(options(server));
  await assertDone();
  assert.equal(server.requests[1]?.range, 'bytes=60000-');
});

test('a file that has changed on the server since the cut is taken from the start', async (t) => {
  const old = BYTES.map((value) => value ^ 255);
  const server = await serve(t, (request, response, turn) =>
    turn === 0
      ? sendRange(request, response, { bytes: old, etag: '"old"', cut: CUT })
      : sendRange(request, response, { bytes: BYTES, etag: '"new"' }),
  );
  await download(options(server));
  await assertDone();
  assert.equal(server.requests[1]?.ifRange, '"old"');
});

test('without a validator no part is trusted', async (t) => {
  const server = await serve(t, (request, response, turn) =>
    sendRange(request, response, {
      bytes: BYTES,
      etag: 'W/"weak"',
      cut: turn === 0 ? CUT : undefined,
    }),
  );
  await download(options(server));
  await assertDone();
  assert.equal(server.requests[1]?.range, undefined);
});

test('a range other than the one asked for starts all over', async (t) => {
  const server = await serve(t, (request, response, turn) => {
    if (turn !== 1) {
      sendRange(request, response, { bytes: BYTES, cut: turn === 0 ? CUT : undefined });
      return;
    }
    response.writeHead(206, { 'content-range': `bytes 10-19/${BYTES.length}` }).end(BYTES.subarray(10, 20));
  });
  await download(options(server));
  await assertDone();
  assert.equal(server.requests[2]?.range, undefined);
});

test('an answer that nobody has begun to read outlives a collection of garbage', async (t) => {
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const part = { sizeBytes: 0, validator: '' };
  const answer = await requestRest({ url: server.url, part, signal: new AbortController().signal });
  for (let round = 0; round < 5; round++) {
    collect();
    await sleep(2);
  }
  if (answer.kind !== 'bytes') return assert.fail(answer.kind);
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body) pieces.push(piece);
  assert.ok(Buffer.concat(pieces).equals(BYTES));
});

test('a part that is whole already is only checked', async (t) => {
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  await interruptedDownload(server, BYTES);
  await download(options(server));
  await assertDone();
  assert.deepEqual(
    server.requests.map(({ range }) => range),
    [`bytes=${BYTES.length}-`],
  );
});

/** Leaves a part as a download that was interrupted does. */
async function interruptedDownload({ url }: TestServer, bytes: Uint8Array): Promise<void> {
  await mkdir(join(directory, 'below'), { recursive: true });
  await startPart(file, { url, validator: '"v1"' });
  await appendToPart(file, [bytes]);
}

test('a kept part with wrong bytes costs one more download, not an error', async (t) => {
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  await interruptedDownload(server, new Uint8Array(1000));
  await download(options(server));
  await assertDone();
  assert.deepEqual(
    server.requests.map(({ range }) => range),
    ['bytes=1000-', undefined],
  );
});

test('the part of another address is not used', async (t) => {
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  await interruptedDownload({ ...server, url: 'http://elsewhere/file.npz' }, BYTES.subarray(0, 1000));
  await download(options(server));
  await assertDone();
  assert.equal(server.requests[0]?.range, undefined);
});

test('a file with another checksum is refused, and nothing of it kept', async (t) => {
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  const expected = '0'.repeat(64);
  const settings = options(server, { sha256: expected });
  await assertFails(
    settings,
    'checksum',
    new RegExp(`sha256 ${sha256(BYTES)} where ${expected} was expected`),
  );
  assert.deepEqual(await readdir(join(directory, 'below')), []);
});

test('pieces that do not fit together are told from a server that serves something else', async (t) => {
  const other = BYTES.map((value) => value ^ 255);
  const server = await serve(t, (request, response, turn) =>
    turn === 0
      ? sendRange(request, response, { bytes: BYTES, cut: CUT })
      : sendRange(request, response, { bytes: other }),
  );
  await assertFails(options(server), 'pieces', /came in several pieces, which together have the sha256 /);
  assert.deepEqual(await readdir(join(directory, 'below')), []);
});

test('two downloads to the same file: the second waits, and finds what the first has brought', async (t) => {
  const server = await serve(t, (request, response, turn) =>
    sendRange(request, response, { bytes: BYTES, cut: turn < 2 ? CUT : undefined }),
  );
  const warnings: string[] = [];
  const reporter: Reporter = { ...silentReporter, warn: (message) => warnings.push(message) };
  await Promise.all([download(options(server, { reporter })), download(options(server, { reporter }))]);
  await assertDone();
  assert.deepEqual(
    server.requests.map(({ range }) => range),
    [undefined, 'bytes=60000-', 'bytes=120000-'],
  );
  const waiting = warnings.filter((message) => message.startsWith('Waiting: '));
  assert.equal(waiting.length, 1);
  assert.match(waiting[0] ?? '', /file\.npz is in use by another download \(process \d+, since .*\): wait/);
});

test('whoever waits for another download can be stopped, and takes over from one that failed', async (t) => {
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  await mkdir(join(directory, 'below'), { recursive: true });
  const lock = await lockPart(file, { reporter: silentReporter });
  const signal = AbortSignal.timeout(50);
  await assert.rejects(download(options(server, { signal })), InterruptedError);
  const waiting = download(options(server));
  await sleep(50);
  assert.equal(server.requests.length, 0);
  lock.release();
  await waiting;
  await assertDone();
});

test('404 is no matter of patience', async (t) => {
  const server = await serve(t, (_, response) => response.writeHead(404).end('nothing here'));
  await assertFails(options(server), 'refused', /answers 404 Not Found\.$/);
  assert.equal(server.requests.length, 1);
});

test('503 is retried, with a warning that says when and from where', async (t) => {
  const server = await serve(t, (request, response, turn) => {
    if (turn < 2) response.writeHead(503, { 'retry-after': '0' }).end();
    else sendRange(request, response, { bytes: BYTES });
  });
  const warnings: string[] = [];
  const reporter: Reporter = { ...silentReporter, warn: (message) => warnings.push(message) };
  await download(options(server, { reporter }));
  await assertDone();
  assert.equal(warnings.length, 2);
  assert.match(
    warnings[0] ?? '',
    /answers 503 Service Unavailable\. Trying again in 0\.005 s, from 0 B on\.$/,
  );
});

test('a server that stays silent is given up after the last attempt', async (t) => {
  const server = await serve(t, () => {});
  const patience = { ...PATIENCE, stallMs: 300 };
  await assertFails(options(server, { patience }), 'network', /sent nothing for 0\.3 s\.$/);
  assert.equal(server.requests.length, PATIENCE.attempts);
});

test('a slow server is waited for as long as bytes come', async (t) => {
  const server = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': BYTES.length });
    let at = 0;
    const drip = setInterval(() => {
      response.write(BYTES.subarray(at, at + 30_000));
      at += 30_000;
      if (at >= BYTES.length) clearInterval(drip);
    }, 200);
  });
  // Less than all of it takes, and much more than a piece.
  await download(options(server, { patience: { ...PATIENCE, stallMs: 1_500 } }));
  await assertDone();
  assert.equal(server.requests.length, 1);
});

test('a server without a length is trusted until the checksum', async (t) => {
  const server = await serve(t, (_, response) => {
    response.write(BYTES.subarray(0, 1000));
    response.end(BYTES.subarray(1000));
  });
  await download(options(server));
  await assertDone();
});

test('a server that is not there is named with the reason', async (t) => {
  const server = await serve(t, () => {});
  await server.close();
  await assertFails(options(server), 'network', /^http:.* cannot be reached \(.*ECONNREFUSED.*\)\.$/);
});

test('an interrupted download keeps its part, and the next one resumes from there', async (t) => {
  const server = await serve(t, (request, response, turn) => {
    if (turn > 0) sendRange(request, response, { bytes: BYTES });
    else
      response
        .writeHead(200, { etag: '"v1"', 'content-length': BYTES.length })
        .write(BYTES.subarray(0, 90_000));
  });
  const stop = new AbortController();
  const reporter: Reporter = {
    ...silentReporter,
    progress: ({ done }) => {
      if (done === 90_000) setTimeout(() => stop.abort(), 20);
    },
  };
  await assert.rejects(download(options(server, { reporter, signal: stop.signal })), (error) => {
    assert.ok(error instanceof InterruptedError);
    assert.match(error.message, /^Interrupted; 90\.0 kB are kept in .*file\.npz\.part, and the same command/);
    return true;
  });
  assert.equal((await stat(partPath(file))).size, 90_000);
  assert.ok(!existsSync(file));
  await download(options(server));
  await assertDone();
  assert.deepEqual(server.requests[1], { range: 'bytes=90000-', ifRange: '"v1"' });
});

test('a disk that refuses is told as such, and not retried', async (t) => {
  if (process.getuid?.() === 0)
    await writeFile(join(directory, 'below'), 'a file where a directory should be');
  else await chmod(directory, 0o500);
  const server = await serve(t, (request, response) => sendRange(request, response, { bytes: BYTES }));
  await assert.rejects(download(options(server)), StorageError);
  await chmod(directory, 0o700);
  assert.equal(server.requests.length, 0);
});
