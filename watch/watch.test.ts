/** The pages of runs by HTTP: a real server on volumes that grow, are damaged, or vanish. */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { takeLock } from '../lib/formats/files/lock-file.js';
import { rotateEvents } from '../lib/formats/runs/event-lines.js';
import { volumePaths } from '../lib/formats/volume.js';
import { listenAt } from '../lib/http/listen.js';
import { silentReporter } from '../lib/observability/events.js';
import { readAccess } from '../server/operations/access.js';
import { serveApp } from '../server/testing/served-app.js';
import { beginVolume } from '../test/live-volume.js';
import { runCommand } from '../test/program-host.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { openRunPages } from './routes.js';
import { createWatchApp } from './watch.js';

/** Serves the runs of a folder. */
async function serveRuns(t: TestContext, folder: string): Promise<string> {
  const pages = await openRunPages(folder);
  const app = createWatchApp(pages, { first: '/runs', reporter: silentReporter });
  const server = await listenAt(app, { host: '127.0.0.1', port: 0 });
  t.after(async () => {
    pages.close();
    await server.close();
  });
  return server.url;
}

interface ServerEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Connects, and tells the events one after the other; the connection ends with the test. */
async function eventsAt(t: TestContext, url: string, headers: Record<string, string> = {}) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  // What is waited for in vain must not be waited for for ever.
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(120_000)]);
  const response = await fetch(url, { headers, signal });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  return eventsIn(response);
}

async function* eventsIn({ body }: Response): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body ?? []) {
    const blocks = (text + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
      if (field('event') !== '') yield { id: field('id'), event: field('event'), data: field('data') };
    }
  }
}

/** The first event whose pieces say so; those before it brought other news. */
async function piecesWith(events: AsyncGenerator<ServerEvent>, pattern: RegExp) {
  for (;;) {
    const { value } = await events.next();
    assert.equal(value?.event, 'pieces', `nothing said ${pattern}`);
    const { changed } = JSON.parse(value.data) as { readonly changed: Readonly<Record<string, string>> };
    const text = Object.values(changed).join('\n');
    if (pattern.test(text)) return { id: value.id as string, text };
  }
}

const seenIn = (page: string) => /data-seen="([^"]+)"/.exec(page)?.[1] ?? '';
const pageAt = async (url: string) => (await fetch(url)).text();

test('a page of a run brings what has changed as it is appended, to fifty alike, and says when the run is over', async (t) => {
  const folder = await temporaryDirectory(t);
  const volume = await beginVolume(join(folder, 'a'));
  await volume.round(1);
  const url = await serveRuns(t, folder);
  const page = await pageAt(`${url}/runs/a`);
  assert.match(page, /<span class="badge open">begun</);
  assert.match(page, /<dt>rounds<\/dt><dd>1</);
  assert.match(page, /data-events="\/live\/events\/a"/);
  const seen = seenIn(page);
  const viewers = await Promise.all(
    Array.from({ length: 50 }, () => eventsAt(t, `${url}/live/events/a?seen=${seen}`)),
  );
  await volume.round(2);
  const all = await Promise.all(viewers.map((events) => piecesWith(events, /<dt>rounds<\/dt><dd>2</)));
  const [first] = all;
  assert.ok(all.every(({ id, text }) => id === first?.id && text === first.text));
  // The settings have not changed.
  assert.ok(!first?.text.includes('<h2>The run</h2>') && page.includes('<h2>The run</h2>'));
  // A full part changes nothing for those who watch.
  await rotateEvents(volumePaths(volume.root).metrics);
  await volume.begin(3);
  await volume.tell({ event: 'missing', round: 3, client: 0, reason: 'it was killed' });
  const [watching] = viewers;
  assert.ok(watching);
  const third = await piecesWith(watching, /round 3/i);
  assert.doesNotMatch(third.text, /<dt>rounds<\/dt><dd>[01]</);
  // Whoever connects again is told what it has missed, and no more.
  await volume.tell({ event: 'end', seconds: {} });
  const again = await eventsAt(t, `${url}/live/events/a?seen=${seen}`, { 'Last-Event-ID': first?.id ?? '' });
  const missed = await piecesWith(again, /<span class="badge good">done</);
  assert.doesNotMatch(missed.text, /<h2>The run<\/h2>/);
  assert.deepEqual((await again.next()).value?.event, 'over');
  assert.equal((await again.next()).done, true);
  const report = await pageAt(`${url}/runs/a`);
  assert.doesNotMatch(report, /data-events|page\.js/, 'a run that is over is a plain report');
});

test('the list tells of runs as they begin and end, and leads to them wherever they lie', async (t) => {
  const folder = await temporaryDirectory(t);
  const url = await serveRuns(t, folder);
  const page = await pageAt(`${url}/runs`);
  assert.match(page, /There is no run yet/);
  const events = await eventsAt(t, `${url}/live/events?seen=${seenIn(page)}`);
  const name = '<img src=x onerror=alert(1)>';
  const volume = await beginVolume(join(folder, 'sweeps', 'a b', '1'), { name });
  const { text } = await piecesWith(
    events,
    /<a href="\/runs\/sweeps\/a%20b\/1">&lt;img src=x onerror=alert\(1\)&gt;<\/a>/,
  );
  assert.equal((await fetch(`${url}/runs/sweeps/a%20b/1`)).status, 200);
  await volume.tell({ event: 'failure', stage: 'train', exitCode: 5, reason: '<b>no</b>', next: 'n' });
  await piecesWith(events, /<span class="badge bad">failed</);
  const ended = await piecesWith(
    await eventsAt(t, `${url}/live/events/sweeps/a%20b/1`),
    /Failed: train\.[\s\S]*&lt;b&gt;no&lt;\/b&gt;/,
  );
  for (const markup of [ended.text, text]) assert.doesNotMatch(markup, /<img|<b>/);
});

test('a run that vanishes while it is watched says so and keeps what it showed', async (t) => {
  const folder = await temporaryDirectory(t);
  const volume = await beginVolume(join(folder, 'a'));
  await volume.round(1);
  const url = await serveRuns(t, folder);
  const events = await eventsAt(t, `${url}/live/events/a?seen=${seenIn(await pageAt(`${url}/runs/a`))}`);
  await rm(volume.root, { recursive: true });
  await piecesWith(events, /a is no longer there; this is what it held at last\./);
  assert.match(await pageAt(`${url}/runs/a`), /<dt>rounds<\/dt><dd>1</);
});

test('damaged and older records are told of, and what can be read is shown', async (t) => {
  const folder = await temporaryDirectory(t);
  const damaged = await beginVolume(join(folder, 'damaged'));
  await writeFile(join(damaged.root, 'data', 'manifest.json'), '{');
  await damaged.round(1);
  const older = await beginVolume(join(folder, 'older'));
  await writeFile(join(older.root, 'run.json'), '{"schemaVersion":0}');
  const url = await serveRuns(t, folder);
  const page = await pageAt(`${url}/runs/damaged`);
  assert.match(page, /class="alarm">[^<]*manifest\.json: expected [^<]*</);
  assert.match(page, /<dt>rounds<\/dt><dd>1</);
  const old = await pageAt(`${url}/runs/older`);
  assert.match(old, /class="alarm">[^<]*run\.json: expected [^<]*</);
  assert.match(old, /Round 1: the clients begin\./);
  assert.match(await pageAt(`${url}/runs`), /older<\/a><\/th><td colspan="6">[^<]*run\.json: expected/);
});

test('a run at work names its process, and one whose process is no more is not called running', async (t) => {
  const folder = await temporaryDirectory(t);
  const volume = await beginVolume(join(folder, 'a'));
  await volume.tell({ event: 'start', jobs: 2 });
  const url = await serveRuns(t, volume.root);
  assert.match(
    await pageAt(`${url}/runs/a`),
    /<span class="badge bad">process gone<[\s\S]*the command that began the run resumes it/,
  );
  const lock = await takeLock(join(volume.root, '.lock'));
  t.after(() => lock.release());
  const other = await serveRuns(t, volume.root);
  assert.match(
    await pageAt(`${other}/runs/a`),
    new RegExp(`badge open">running<[\\s\\S]*At work: process ${process.pid} on `),
  );
});

test('pages are for this machine alone, run nothing but their own script, and lead nowhere else', async (t) => {
  const folder = await temporaryDirectory(t);
  await beginVolume(join(folder, 'a'));
  const url = await serveRuns(t, folder);
  const ask = (host: string, path: string) =>
    new Promise<number | undefined>((resolve, reject) =>
      request(url + path, { headers: { Host: host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end(),
    );
  assert.equal(await ask('localhost:5050', '/runs/a'), 200);
  for (const path of ['/runs', '/runs/a', '/live/events', '/live/page.js'])
    assert.equal(await ask('evil.example', path), 403, path);
  const { headers } = await fetch(`${url}/runs/a`);
  const policy = headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none';script-src 'self'/);
  assert.match(policy, /style-src ('sha256-[\w+/=]+' ?)+;/);
  for (const path of ['/runs/b', '/runs/..%2fa', '/runs/%2e%2e%2f%2e%2e%2fetc%2fpasswd', '/live/events/b'])
    assert.equal((await fetch(url + path)).status, 404, path);
  assert.equal((await fetch(url, { redirect: 'manual' })).headers.get('location'), '/runs');
});

test('a server shows the runs behind its own access rules', async (t) => {
  const folder = await temporaryDirectory(t);
  await beginVolume(join(folder, 'a'));
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'secret');
  const pages = await openRunPages(folder);
  const app = await serveApp({
    access: await readAccess({ tokenFile }),
    runs: pages,
  });
  t.after(async () => {
    pages.close();
    await app.close();
  });
  for (const path of ['/runs', '/runs/a', '/live/events/a', '/live/page.js']) {
    const refused = await fetch(app.url + path);
    assert.equal(refused.status, 401, path);
    await refused.body?.cancel();
    const stop = new AbortController();
    const headers = { Authorization: 'Bearer secret' };
    assert.equal((await fetch(app.url + path, { headers, signal: stop.signal })).status, 200, path);
    stop.abort();
  }
  const lost = await fetch(`${app.url}/runs/b`, {
    headers: { Authorization: 'Bearer secret', Accept: 'text/html' },
  });
  assert.equal(lost.status, 404);
  assert.match(await lost.text(), /There is no run b below/);
});

test('the command refuses a folder that is none, and a name that means no run', async (t) => {
  const folder = await temporaryDirectory(t);
  const nowhere = await runCommand('watch', [join(folder, 'nowhere')]);
  assert.equal(nowhere.exitCode, 3);
  assert.match(nowhere.stderr, /nowhere: expected a folder of runs, found no such folder\.$/);
  await mkdir(join(folder, 'runs'));
  const nobody = await runCommand('watch', ['nobody'], { cwd: folder });
  assert.equal(nobody.exitCode, 2);
  assert.match(nobody.stderr, /nobody is no run: expected the volume of a run, its name/);
});
