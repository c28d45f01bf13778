import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimedEvent } from '../lib/formats/metrics-event.js';
import { createWatchers } from './watcher.js';

const event = (shards: number): TimedEvent => ({
  event: 'split',
  shards,
  seconds: 1,
  time: '2026-01-01T00:00:00Z',
});

test('each hears all events in their order, at its own pace, and then that the run is over', async () => {
  const heard: string[] = [];
  const watchers = createWatchers(
    [
      {
        name: 'slow',
        async event(told) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          heard.push(`slow ${told.event === 'split' && told.shards}`);
        },
        close: () => void heard.push('slow closed'),
      },
      { name: 'quick', event: (told) => void heard.push(`quick ${told.event === 'split' && told.shards}`) },
    ],
    { warn: assert.fail },
  );
  watchers.tell(event(1));
  watchers.tell(event(2));
  await watchers.close();
  assert.deepEqual(
    heard.filter((each) => each.startsWith('slow')),
    ['slow 1', 'slow 2', 'slow closed'],
  );
  assert.deepEqual(
    heard.filter((each) => each.startsWith('quick')),
    ['quick 1', 'quick 2'],
  );
});

test('one that fails is told once, hears no more, and stops nobody', async () => {
  const warnings: string[] = [];
  let heard = 0;
  const watchers = createWatchers(
    [
      {
        name: 'Broken',
        event() {
          throw new Error('the disk is full');
        },
        close: () => assert.fail('it hears no more'),
      },
      { name: 'sound', event: () => void heard++ },
    ],
    { warn: (message) => void warnings.push(message) },
  );
  watchers.tell(event(1));
  watchers.tell(event(2));
  await watchers.close();
  assert.equal(heard, 2);
  assert.deepEqual(warnings, ['Broken watches no longer, and the run goes on: the disk is full']);
});
