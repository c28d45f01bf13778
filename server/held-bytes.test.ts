import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay, setImmediate as nextRound } from 'node:timers/promises';
import { BodyParts } from './body-parts.js';
import { createRoom } from './held-bytes.js';

describe('room for bodies', () => {
  const from = (address: string) => ({ address });
  const declared = (address: string, bytes: number, signal = new AbortController().signal) => ({
    ...{ address, bytes, signal },
  });
  /** Whether a promise has been settled by now. */
  const isSettled = async (each: Promise<unknown>) =>
    (await Promise.race([each.then(() => true), nextRound(false)])) === true;

  it('leaves a fifth of it to small bodies', () => {
    const room = createRoom(1_000_000);
    const large = Array.from({ length: 20 }, (_, client) => {
      const place = room.open(from(`10.0.0.${client}`));
      let length = 0;
      while (length < 250_000 && place.add(50_000)) length += 50_000;
      return length;
    });
    const held = large.reduce((sum, each) => sum + each, 0);
    assert.ok(held > 700_000 && held <= 1_000_000, `${held}`);
    const beyond = large.reduce((sum, each) => sum + Math.max(0, each - 65_536), 0);
    assert.ok(beyond > 0 && beyond <= 800_000, `${beyond}`);
  });

  it('counts all that is held, and what is released no more', () => {
    const room = createRoom(10);
    const [one, other] = [room.open(from('a')), room.open(from('b'))];
    assert.ok(one.add(6));
    assert.ok(!other.add(5));
    one.release();
    one.release();
    assert.ok(other.add(10));
    assert.ok(!other.add(1));
  });

  it('takes a body that says its length when there is room for all of it, and gives an address at most half', async () => {
    const room = createRoom(1_000_000);
    const places = await Promise.all([1, 2].map(() => room.enter(declared('a', 200_000))));
    const third = room.enter(declared('a', 100_000));
    assert.ok(!(await isSettled(third)));
    const other = await room.enter(declared('b', 300_000));
    assert.ok(other?.add(300_000) && !other.add(1), 'more than it said');
    assert.ok(!room.open(from('c')).add(100_001), 'what is promised is held');
    places[0]?.release();
    assert.ok(await third);
  });

  it('counts all addresses of an IPv6 network as one, and IPv4 addresses as they are, however they are written', async () => {
    for (const [own, other] of [
      [['2001:db8:1:2::1', '2001:db8:1:2:ffff::2', '[2001:DB8:1:2::3]:4711'], '2001:db8:2::1'],
      [['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1', '10.0.0.1:4711'], '::ffff:10.0.0.2'],
    ] as const) {
      const room = createRoom(1_000_000);
      const half = await room.enter(declared(own[0], 400_000));
      for (const address of own) {
        assert.ok(!room.open(from(address)).add(100_000), address);
        assert.ok(!(await isSettled(room.enter(declared(address, 100_000)))), address);
      }
      assert.ok(room.open(from(other)).add(100_000), other);
      half?.release();
    }
  });

  it('lets in first who has least, and lets go who waits too long, or has gone', async () => {
    const room = createRoom(1_000_000, { waitMs: 200 });
    const [first, second] = await Promise.all([
      room.enter(declared('a', 400_000)),
      room.enter(declared('b', 400_000)),
    ]);
    const gone = new AbortController();
    const order: string[] = [];
    const waiting = ['a', 'c'].map(async (address) => {
      if ((await room.enter(declared(address, 350_000))) !== undefined) order.push(address);
    });
    const left = room.enter(declared('d', 100_000, gone.signal));
    gone.abort();
    assert.equal(await left, undefined);
    second?.release();
    assert.ok(first);
    await Promise.all(waiting);
    assert.deepEqual(order, ['c'], 'the other one waited in vain');
  });

  it('refuses many who came at the same time a few at a time', async () => {
    const room = createRoom(1_000_000, { waitMs: 50 });
    await room.enter(declared('a', 400_000));
    const left: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        assert.equal(await room.enter(declared('a', 400_000)), undefined);
        left.push(performance.now());
      }),
    );
    const together = left.map((time) => left.filter((other) => Math.abs(other - time) < 2).length);
    assert.ok(Math.max(...together) < 20, 'others have their turn in between');
  });

  it('tells who comes slowly while others wait, and nobody else', async () => {
    const room = createRoom(1_000_000, { waitMs: 400, stallMs: 50 });
    const stalled: string[] = [];
    for (const address of ['silent', 'whole']) {
      const place = await room.enter(declared(address, 400_000));
      if (place === undefined) throw new Error('there is room');
      place.onStalled = () => {
        stalled.push(address);
        place.release();
      };
      if (address === 'whole') place.add(400_000);
    }
    await delay(120);
    assert.deepEqual(stalled, [], 'nobody waits');
    assert.ok(await room.enter(declared('next', 400_000)));
    assert.deepEqual(stalled, ['silent']);
  });

  it('holds parts of one byte as cheaply as one large part', () => {
    for (const expected of [0, 1_000_000, 10]) {
      const held = new BodyParts(expected);
      const parts = Array.from({ length: 251 }, (_, at) => Uint8Array.of(at));
      const before = process.memoryUsage();
      for (let at = 0; at < 1_000_000; at++) held.add(parts[at % 251] as Uint8Array);
      const { rss } = process.memoryUsage();
      assert.ok(rss - before.rss < 60 * 2 ** 20, `grew by ${(rss - before.rss) / 2 ** 20} MiB`);
      const bytes = held.bytes();
      assert.equal(bytes.length, 1_000_000);
      assert.ok(bytes.every((byte, at) => byte === at % 251));
    }
  });
});
