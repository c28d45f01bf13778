/** Programs of the user's own that hear a run's events: real ones, in the shell. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TimedEvent } from '../lib/formats/metrics-event.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { eventProgram } from './on-event.js';
import { createWatchers } from './watcher.js';

const time = '2026-01-01T00:00:00.000Z';
const events: readonly TimedEvent[] = [1, 2, 3].map((round) => ({
  ...{ event: 'missing', round, client: 1, reason: 'it has "quotes", ünicode\nand lines', time },
}));

/** What a program is told, and what is told of it. */
async function tellProgram(
  command: string,
  { volume = '/', told = events }: { readonly volume?: string; readonly told?: readonly TimedEvent[] } = {},
) {
  const warnings: string[] = [];
  const printed: string[] = [];
  const reporter = {
    warn: (message: string) => void warnings.push(message),
    info: (message: string) => void printed.push(message),
  };
  const watchers = createWatchers(
    [eventProgram({ command, run: 'digits-3x2-0a0b0c0d', volume, reporter })],
    reporter,
  );
  for (const event of told) watchers.tell(event);
  await watchers.close();
  return { warnings, printed };
}

describe('the program of --on-event', () => {
  it('reads each event as a line of JSON, and knows the run and its volume', async (t) => {
    const volume = await temporaryDirectory(t);
    const command = 'echo "run $FEDBATCH_RUN"; cat > "$FEDBATCH_VOLUME/heard.jsonl"';
    const { warnings, printed } = await tellProgram(command, { volume });
    const lines = (await readFile(join(volume, 'heard.jsonl'), 'utf8')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      events,
    );
    assert.deepEqual(warnings, []);
    assert.deepEqual(printed, ['--on-event: run digits-3x2-0a0b0c0d']);
  });

  it('is missed with one warning where it fails, or does not exist', async () => {
    const failed = await tellProgram('read line; exit 3');
    assert.deepEqual(failed.warnings, [
      '--on-event: the command ended with exit code 3. The run goes on without it.',
    ]);
    const missing = await tellProgram('no-such-program-of-ours');
    assert.deepEqual(missing.warnings, [
      '--on-event: the command ended with exit code 127. The run goes on without it.',
    ]);
    assert.deepEqual((await tellProgram('head -n 1 > /dev/null')).warnings, [], 'one may hear enough');
  });

  it('that does not read takes no more than some memory: what is dropped is counted and told', async () => {
    const reason = 'x'.repeat(2 ** 18);
    const told = Array.from({ length: 40 }, (_, at) => ({ ...(events[0] as TimedEvent), round: at, reason }));
    const { warnings } = await tellProgram('sleep 0.3', { told: told as readonly TimedEvent[] });
    const [, dropped] =
      /^--on-event: (\d+) events were dropped, since the command does not read/.exec(warnings[0] ?? '') ?? [];
    // Of 10 MiB 4 wait, and a pipe takes something.
    assert.ok(Number(dropped) >= 18 && Number(dropped) < 40, warnings.join('\n'));
    assert.equal(warnings.length, 1);
  });
});
