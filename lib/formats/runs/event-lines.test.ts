/** Events across their parts: nothing is lost, told twice or out of order, whenever somebody reads and whenever a part is full. */
import assert from 'node:assert/strict';
import { appendFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { openMetrics } from '../../../pipeline/record/metrics.js';
import { gatherTimeline } from '../../../report/timeline.js';
import { findTraining } from '../../../server/models/model-records.js';
import { sampleRecords } from '../../../test/sample-records.js';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import type { RunEvent } from '../metrics-event.js';
import { writeRecord } from '../run-record.js';
import { volumePaths } from '../volume.js';
import { createEventReader, eventLines, eventParts, rotateEvents } from './event-lines.js';
import { readSessions } from './sessions.js';

const gather = async (lines: AsyncGenerator<readonly string[]>): Promise<readonly string[]> => {
  const all: string[] = [];
  for await (const some of lines) all.push(...some);
  return all;
};

test('a reader that looks now and then hears every line once and in order, however the parts are cut', async (t) => {
  const folder = await temporaryDirectory(t);
  const steps = fc.array(fc.constantFrom('line', 'half', 'rotate', 'read'), { minLength: 1, maxLength: 30 });
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const path = join(folder, `${runs++}`, 'metrics.jsonl');
      const written: string[] = [];
      const heard: string[] = [];
      const reader = createEventReader(path);
      let [number, half] = [0, ''];
      const write = async (text: string) => {
        if (number === 0 && half === '') await writeFileAtomic(path, '');
        await appendFile(path, text);
      };
      for (const step of all) {
        if (step === 'line') {
          const line = half === '' ? `line ${number} ·` : `${half} and its end`;
          await write(half === '' ? `${line}\n` : ' and its end\n');
          written.push(line);
          [number, half] = [number + 1, ''];
        } else if (step === 'half' && half === '' && number > 0) {
          half = `line ${number} of two writes`;
          await write(half);
          number++;
        } else if (step === 'rotate' && half === '' && number > 0) await rotateEvents(path);
        else if (step === 'read') {
          heard.push(...(await gather(reader.more())));
          assert.deepEqual(heard, written);
          assert.equal(reader.isCut(), half !== '');
        }
      }
      heard.push(...(await gather(reader.more())));
      assert.deepEqual(heard, written);
      assert.deepEqual(await gather(eventLines(path)), written);
    }),
    { numRuns: 40 },
  );
});

test('a part that becomes full while it is read is read once', async (t) => {
  const path = join(await temporaryDirectory(t), 'metrics.jsonl');
  // More than a stream hands on at a time, so that the rotation falls between two pieces.
  const lines = Array.from({ length: 5_000 }, (_, number) => `${number} ${'x'.repeat(100)}`);
  await writeFile(path, `${lines.join('\n')}\n`);
  const reader = createEventReader(path);
  const heard: string[] = [];
  for await (const some of reader.more()) {
    if (heard.length === 0) await rotateEvents(path);
    heard.push(...some);
  }
  await appendFile(path, 'after\n');
  heard.push(...(await gather(reader.more())));
  assert.deepEqual(heard, [...lines, 'after']);
});

test('a run that is started over is read from its beginning', async (t) => {
  const folder = await temporaryDirectory(t);
  const path = join(folder, 'metrics.jsonl');
  await writeFile(path, 'a\nb\n');
  const reader = createEventReader(path);
  await rotateEvents(path);
  await appendFile(path, 'c\n');
  assert.deepEqual(await gather(reader.more()), ['a', 'b', 'c']);
  for (const part of await eventParts(path)) await rm(part);
  await writeFile(path, 'new\n');
  assert.deepEqual(await gather(reader.more()), ['new']);
  await truncate(path);
  await appendFile(path, 'x\n');
  assert.deepEqual(await gather(reader.more()), ['x']);
});

test('events begin a new file before one is too large, and whoever reads a run finds all of them', async (t) => {
  const folder = await temporaryDirectory(t);
  const paths = volumePaths(folder);
  const path = paths.metrics;
  const { run } = sampleRecords();
  await writeRecord(paths.run, run);
  const sha256 = 'a'.repeat(64);
  const seconds = { train: 1, aggregate: 1, evaluate: 1 };
  const rounds = Array.from({ length: 40 }, (_, at): readonly RunEvent[] => [
    { event: 'evaluation', round: at + 1, model: sha256, test: sha256, examples: 9, loss: 1, seconds: 1 },
    {
      ...{ event: 'round', round: at + 1, selected: 1, reported: 1, rejected: 0, missing: 0, best: 1 },
      ...{ seconds, sha256: at === 3 ? sha256 : 'b'.repeat(64) },
    },
  ]);
  const told: RunEvent[] = [{ event: 'split', shards: 2, seconds: 1 }, ...rounds.flat()];
  await writeFile(path, '{"time":"2030-01-01T00:00:00Z","event":"start"}\n{"half');
  const MOST = 2_000;
  for (const some of [told.slice(0, 30), told.slice(30)]) {
    // Each is a session: the second goes on in the file that the first has begun.
    const metrics = await openMetrics(paths, { mostBytes: MOST });
    for (const event of some) await metrics.append(event);
  }
  const names = (await readdir(folder)).filter((name) => name !== 'run.json').sort();
  assert.ok(names.length > 4, names.join());
  const numbers = names.slice(0, -1).map((_, at) => String(at + 1).padStart(4, '0'));
  assert.deepEqual(names, [...numbers.map((number) => `metrics-${number}.jsonl`), 'metrics.jsonl']);
  for (const name of names) assert.ok((await stat(join(folder, name))).size <= MOST, name);
  const timeline = gatherTimeline();
  const { tests, roundSeconds, notes, state } = await readSessions(path, timeline.hear);
  assert.deepEqual(
    tests.map(({ round }) => round),
    rounds.map((_, at) => at + 1),
  );
  assert.deepEqual([roundSeconds.length, notes, state?.kind], [40, [], 'begun']);
  assert.equal(timeline.tell().spans.length, 41);
  // Whoever serves a model finds its round in a part that is full.
  const training = await findTraining(join(folder, 'model.h5'), sha256);
  assert.deepEqual([training?.rounds, training?.clients], [4, run.settings.federation.clients]);
});
