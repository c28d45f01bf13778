/** The events of a run on a disk that refuses them, and after a writer that was killed. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StorageError } from '../../lib/core/errors.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { openMetrics } from './metrics.js';

const EVENT = { event: 'split', shards: 2, seconds: 1 } as const;

async function aVolume(t: TestContext) {
  const paths = volumePaths(await temporaryDirectory(t));
  await writeFile(paths.run, '{}');
  return paths;
}

test('a line without its end is dropped, however long; whole ones stay', async (t) => {
  const paths = await aVolume(t);
  for (const whole of ['', '{"event":"start"}\n', `${'x'.repeat(70_000)}\n\n`]) {
    for (const half of ['', '{"ev', 'y'.repeat(65_536), 'y'.repeat(200_001)]) {
      await writeFile(paths.metrics, whole + half);
      const metrics = await openMetrics(paths);
      await Promise.all([metrics.append(EVENT), metrics.append(EVENT)]);
      const text = await readFile(paths.metrics, 'utf8');
      assert.ok(text.startsWith(whole));
      const added = text.slice(whole.length).trimEnd().split('\n');
      assert.deepEqual(
        added.map((line) => (JSON.parse(line) as { readonly event: string }).event),
        ['split', 'split'],
      );
    }
  }
});

test('a disk that takes no line, a folder in its place: one sentence, and watchers hear nothing', async (t) => {
  const paths = await aVolume(t);
  const heard: unknown[] = [];
  const watchers = { tell: (event: unknown) => void heard.push(event), async close() {} };
  await symlink('/dev/full', paths.metrics);
  const metrics = await openMetrics(paths, { watchers });
  await assert.rejects(
    metrics.append(EVENT),
    /metrics\.jsonl: could not be written: the disk is full \(ENOSPC\)/,
  );
  await rm(paths.metrics);
  await symlink(join(paths.root, 'nowhere', 'metrics.jsonl'), paths.metrics);
  await assert.rejects(metrics.append(EVENT), StorageError);
  assert.deepEqual(heard, []);
  await rm(paths.metrics);
  await metrics.append(EVENT);
  assert.equal(heard.length, 1, 'the next one is told where there is room again');
  await rm(paths.metrics);
  await mkdir(paths.metrics);
  await assert.rejects(openMetrics(paths), StorageError);
});

test('a volume that was deleted gets no events: it would look like something else', async (t) => {
  const paths = await aVolume(t);
  const metrics = await openMetrics(paths);
  await metrics.append(EVENT);
  await rm(paths.run);
  await rm(paths.metrics);
  await assert.rejects(metrics.append(EVENT), /was deleted or moved away while the run went on\.$/);
  await assert.rejects(readFile(paths.metrics), { code: 'ENOENT' });
});
