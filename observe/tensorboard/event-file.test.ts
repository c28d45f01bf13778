/** Event files as TensorBoard reads them: sums, messages, histograms, and what a killed writer leaves. */
import assert from 'node:assert/strict';
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { plainCrc32c, readEventFile, scalarsOf, unmasked } from '../../test/event-files.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { openEventFile } from './event-file.js';
import { histogramOf, type StepEvent } from './event-message.js';
import { frameRecord, soundRecords } from './record-frames.js';

/** RFC 3720, B.4. */
const VECTORS: readonly (readonly [Uint8Array, number])[] = [
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  [Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
  [new TextEncoder().encode('123456789'), 0xe3069283],
];

const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 });

describe('records', () => {
  it('have the sums of RFC 3720, masked', () => {
    for (const [bytes, sum] of VECTORS) {
      const record = Buffer.from(frameRecord(bytes));
      assert.equal(unmasked(record.readUInt32LE(record.length - 4)), sum);
      assert.equal(plainCrc32c(bytes), sum);
    }
  });

  it('come back, up to where they are cut', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (all, cut) => {
        const records = all.map(frameRecord);
        const bytes = Buffer.concat(records);
        const length = Math.min(cut % (bytes.length + 1), bytes.length);
        const found = soundRecords(bytes.subarray(0, length));
        let end = 0;
        const whole = records.filter((record) => {
          end += record.length;
          return end <= length;
        });
        assert.deepEqual(
          found.map(({ payload }) => [...payload]),
          all.slice(0, whole.length).map((payload) => [...payload]),
        );
        assert.equal(found.at(-1)?.end ?? 0, Buffer.concat(whole).length);
      }),
    );
  });

  it('end before one in which a bit has changed', () => {
    fc.assert(
      fc.property(
        payloads.filter((all) => all.length > 0),
        fc.nat(),
        fc.nat({ max: 7 }),
        (all, place, bit) => {
          const bytes = Buffer.concat(all.map(frameRecord));
          const at = place % bytes.length;
          bytes[at] = (bytes[at] as number) ^ (1 << bit);
          assert.ok((soundRecords(bytes).at(-1)?.end ?? 0) <= at);
        },
      ),
    );
  });
});

const CLOSING = ['test/loss'];
const openAt = (path: string) => openEventFile(path, CLOSING);

const step = (number: number, scalar = number / 4): StepEvent => ({
  step: number,
  wallTime: 1_700_000_000 + number,
  values: [{ tag: 'test/loss', scalar }],
});

describe('an event file', () => {
  it('goes on behind the last step, and what a killed writer left is cut off', async (t) => {
    const path = join(await temporaryDirectory(t), 'logs', 'global', 'events.out.tfevents.fedbatch');
    await (await openAt(path)).append([step(0), step(1)]);
    const whole = (await readFile(path)).length;
    await (await openAt(path)).append([step(2)]);
    for (const lost of [1, 5, 30]) {
      await truncate(path, (await readFile(path)).length - lost);
      const file = await openAt(path);
      assert.equal(file.lastStep, 1, `${lost} bytes lost`);
      assert.equal((await readFile(path)).length, whole);
      await file.append([step(2)]);
      assert.equal(file.lastStep, 2);
    }
    await appendFile(path, Buffer.alloc(40));
    const again = await openAt(path);
    assert.equal(again.lastStep, 2);
    assert.ok(again.has('test/loss') && !again.has('test/accuracy'));
    const events = readEventFile(path);
    assert.deepEqual(scalarsOf(events, 'test/loss'), [
      [0, 0],
      [1, 0.25],
      [2, 0.5],
    ]);
    assert.deepEqual(
      events.map(({ wall_time: time }) => time),
      [1_700_000_000, 1_700_000_001, 1_700_000_002],
    );
  });

  it('loses what lies behind the last whole piece', async (t) => {
    const path = join(await temporaryDirectory(t), 'events.out.tfevents.fedbatch');
    const epoch = (number: number) => ({
      step: number,
      wallTime: 1,
      values: [{ tag: 'epochs/loss', scalar: number }],
    });
    await (await openAt(path)).append([epoch(1), epoch(2), step(1)]);
    const whole = await readFile(path);
    const file = await openAt(path);
    await file.append([epoch(3), epoch(4), step(2)]);
    await truncate(path, (await readFile(path)).length - 1);
    const again = await openAt(path);
    assert.equal(again.lastStep, 1);
    assert.deepEqual(await readFile(path), whole);
    await again.append([epoch(3), epoch(4), step(2)]);
    assert.deepEqual(
      scalarsOf(readEventFile(path), 'epochs/loss').map(([at]) => at),
      [1, 2, 3, 4],
    );
  });

  it('that is damaged from its first byte on begins anew', async (t) => {
    const path = join(await temporaryDirectory(t), 'events.out.tfevents.fedbatch');
    await writeFile(path, 'no records at all, and longer than a head');
    const file = await openAt(path);
    assert.equal(file.lastStep, undefined);
    await file.append([step(3)]);
    assert.deepEqual(scalarsOf(readEventFile(path), 'test/loss'), [[3, 0.75]]);
  });

  it('holds numbers that are none, pictures and histograms', async (t) => {
    const path = join(await temporaryDirectory(t), 'events.out.tfevents.fedbatch');
    const histogram = histogramOf(Float32Array.of(-1, 0, 0.5, 2));
    const picture = { width: 2, height: 3, png: Uint8Array.of(1, 2, 3) };
    assert.ok(histogram);
    await (await openAt(path)).append([
      step(1, Number.NaN),
      step(2, 1e300),
      {
        ...step(3),
        values: [{ tag: 'weights/a', histogram }, { tag: 'a picture', picture }, ...step(3).values],
      },
    ]);
    const events = readEventFile(path);
    assert.deepEqual(
      scalarsOf(events, 'test/loss').map(([, value]) => value),
      [Number.NaN, Number.POSITIVE_INFINITY, 0.75],
    );
    const [weights, image] = events[2]?.summary?.value ?? [];
    const { min, max, num, sum, sum_squares: squares, bucket_limit: limits } = weights?.histo ?? {};
    assert.deepEqual([min, max, num, sum, squares, limits?.at(-1)], [-1, 2, 4, 1.5, 5.25, 2]);
    assert.deepEqual([image?.image?.width, image?.image?.height], [2, 3]);
    assert.deepEqual([...(image?.image?.encoded_image_string ?? [])], [1, 2, 3]);
  });
});

describe('a histogram', () => {
  const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
    minLength: 1,
    maxLength: 200,
  });

  it('counts every number once, in the bucket where it lies', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const array = Float32Array.from(values);
        const found = histogramOf(array);
        assert.ok(found);
        const { min, max, count, limits, counts } = found;
        assert.equal(count, array.length);
        assert.equal(
          counts.reduce((sum, each) => sum + each, 0),
          array.length,
        );
        assert.equal(limits.length, counts.length);
        assert.equal(limits.at(-1), max);
        assert.deepEqual([min, max], [Math.min(...array), Math.max(...array)]);
        assert.deepEqual(
          [...limits].sort((a, b) => a - b),
          limits,
        );
        // A bucket's own limit belongs to the next one, but for the last bits of the division.
        const below = (limit: number) => array.filter((value) => value < limit).length;
        let sum = 0;
        for (const [at, limit] of limits.entries()) {
          sum += counts[at] as number;
          const slack = (max - min) * 1e-9;
          if (at < limits.length - 1) assert.ok(sum >= below(limit - slack) && sum <= below(limit + slack));
        }
      }),
    );
  });

  it('passes over what is no number, and of nothing else there is none', () => {
    assert.equal(histogramOf(Float32Array.of(Number.NaN, 1, Number.POSITIVE_INFINITY))?.count, 1);
    assert.equal(histogramOf(Float32Array.of(Number.NaN)), undefined);
    assert.equal(histogramOf(new Float32Array()), undefined);
    assert.deepEqual(histogramOf(Float32Array.of(0.5, 0.5))?.counts, [2]);
  });
});
