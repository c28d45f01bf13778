/** What becomes of a client whose update an external trainer has reported, and this machine does not see yet. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { InterruptedError } from '../../lib/core/errors.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { type TrainResult, trainResultSchema } from '../../lib/formats/stage-results.js';
import { silentReporter } from '../../lib/observability/events.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import type { StageCommand } from '../commands/stage-commands.js';
import type { CommandEnding } from '../rounds/target.js';
import { pipedTarget } from './piped-target.js';
import type { TrainingPipe } from './training-pipe.js';

/** Has one client trained, whose update is reported at once and lies nowhere; `meanwhile` happens once it is waited for. */
async function train(
  update: string,
  meanwhile: () => void,
  options: { readonly signal?: AbortSignal; readonly deadlineSeconds?: number } = {},
) {
  const result: TrainResult = {
    ...{
      client: 4,
      round: 2,
      examples: 9,
      seconds: 1,
      loss: 0.5,
      engine: 'another',
      sha256: sha256('update'),
    },
  };
  const pipe: TrainingPipe = {
    async give() {
      setImmediate(meanwhile);
      return { exitCode: 0, stdout: [JSON.stringify(result)], stderr: [] };
    },
    close() {},
  };
  const command: StageCommand = {
    ...{ stage: 'train', round: 2, client: 4, program: 'trainer/cli.js', arguments: [], reads: [] },
    writes: [update],
  };
  const told: CommandEnding<TrainResult>[] = [];
  await pipedTarget({ cores: 1, jobs: 1, threads: 1 }, pipe).execute([command], {
    ...{ reporter: silentReporter, signal: new AbortController().signal, schema: trainResultSchema },
    ...options,
    onEnding: async (ending) => void told.push(ending),
  });
  return told;
}

test('an update that appears is the result, though it comes late', async (t) => {
  const update = join(await temporaryDirectory(t), '4.h5');
  const [ending] = await train(update, () => void writeFile(update, 'update'));
  assert.ok(ending !== undefined && 'result' in ending);
});

test('an interrupt while an update is waited for is no fault of the client', async (t) => {
  const update = join(await temporaryDirectory(t), '4.h5');
  const stop = new AbortController();
  const { signal } = stop;
  await assert.rejects(
    train(update, () => stop.abort(), { signal }),
    InterruptedError,
  );
});

test('a client whose update is not there by the deadline is late', async (t) => {
  const update = join(await temporaryDirectory(t), '4.h5');
  const [ending] = await train(update, () => undefined, { deadlineSeconds: 1 });
  assert.ok(ending !== undefined && 'reason' in ending);
  assert.equal(ending.reason, 'late: not done within 1 s');
});
