/** Views that many watch: looked at once for all, and each is told what is new to it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { html } from '../lib/html/html.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { createLiveView, type Shown } from './live-view.js';

const shown = (a: string, b: string): Shown => ({
  title: 'page',
  isOver: false,
  pieces: { a: html`${a}`, b: html`${b}` },
});

test('fifty who come at once cost one look', async () => {
  let looks = 0;
  const view = createLiveView({
    directories: [],
    async look() {
      looks++;
      return shown('1', '2');
    },
  });
  const all = await Promise.all(Array.from({ length: 50 }, () => view.news()));
  assert.equal(looks, 1);
  assert.equal(new Set(all.map(({ version }) => version)).size, 1);
});

test('each is told the pieces that have changed since what it saw; whoever saw another view, all of them', async (t) => {
  const directory = await temporaryDirectory(t);
  let page = shown('1', '<2>');
  const view = createLiveView({ directories: [directory], look: async () => page });
  t.after(() => view.close());
  const first = await view.news();
  assert.deepEqual(first.changed, { a: '1', b: '&lt;2&gt;' });
  const told = new Promise<void>((resolve) => {
    const stop = view.follow(() => {
      stop();
      resolve();
    });
  });
  page = shown('1', '3');
  // What the system tells is looked at; without it, it would be a second later.
  await writeFile(join(directory, 'a'), '');
  await told;
  assert.deepEqual((await view.news(first.version)).changed, { b: '3' });
  assert.deepEqual((await view.news((await view.news()).version)).changed, {});
  for (const stranger of ['', 'x', 'other-1', first.version.split('-')[0] ?? ''])
    assert.deepEqual((await view.news(stranger)).changed, { a: '1', b: '3' });
});

test('nobody watches, nobody looks; a look that fails stops no later one', async () => {
  let looks = 0;
  const view = createLiveView({
    directories: ['/there/is/no/such/directory'],
    async look() {
      looks++;
      if (looks === 1) throw new Error('the disk is away');
      return shown(`${looks}`, '');
    },
  });
  await assert.rejects(view.news(), /the disk is away/);
  assert.equal(view.isFollowed, false);
  await new Promise<void>((resolve) => {
    const stop = view.follow(() => {
      stop();
      resolve();
    });
  });
  assert.equal(looks, 2);
  assert.equal(view.isFollowed, false);
});
