/** `fedbatch run --simulate` from end to end: the bytes of the process runner, whatever happens on the way. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { readRoundRecord } from '../lib/formats/run-record.js';
import { projectRoot } from './sources.js';
import { writeTinyDataset } from './tiny-dataset.js';

const program = join(projectRoot, 'dist', 'cli.js');

let directory = '';
let data = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  data = await writeTinyDataset(directory);
});
after(() => rm(directory, { recursive: true, force: true }));

/** Shards of unequal size, and a last batch that is not full. */
const SETTINGS = ['--clients', '5', '--rounds', '2', '--batch', '20', '--threads', '1', '--json'];

function start(volume: string, ...more: readonly string[]) {
  const options = ['run', '--data', data, '--volume', join(directory, volume), ...SETTINGS, ...more];
  return execa(process.execPath, [program, ...options], { cwd: directory, reject: false });
}

interface Line {
  readonly accuracy: number;
  readonly loss: number;
  readonly sha256: string;
}

async function finish(run: ReturnType<typeof start>): Promise<Line> {
  const { stdout, stderr } = await run;
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as Line;
}

const bytesOf = (volume: string, file: string) => readFileSync(join(directory, volume, file));
const roundOf = (volume: string, round: number) =>
  readRoundRecord(join(directory, volume, 'rounds', String(round).padStart(4, '0'), 'round.json'));

const MODELS = ['rounds/0001/global.h5', 'rounds/0002/global.h5', 'aggregated-model.h5', 'best-model.h5'];

for (const model of ['mlp', 'cnn']) {
  test(`${model}: simulated with 1 and with 4 workers, every global model has the bytes of real clients'`, async () => {
    const settings = ['--model', model];
    const real = await finish(start(`${model}-real`, ...settings, '--jobs', '2'));
    for (const jobs of ['1', '4']) {
      const volume = `${model}-simulated-${jobs}`;
      const simulated = await finish(start(volume, ...settings, '--simulate', '--jobs', jobs));
      assert.equal(simulated.sha256, real.sha256);
      assert.deepEqual([simulated.accuracy, simulated.loss], [real.accuracy, real.loss]);
      for (const file of MODELS) {
        assert.ok(
          bytesOf(volume, file).equals(bytesOf(`${model}-real`, file)),
          `${file} with ${jobs} workers`,
        );
      }
      for (const round of [1, 2]) {
        const [then, now] = await Promise.all([roundOf(`${model}-real`, round), roundOf(volume, round)]);
        const facts = (record: typeof now) =>
          record.reported.map(({ client, examples, loss, accuracy }) => [client, examples, loss, accuracy]);
        assert.deepEqual(facts(now), facts(then));
        assert.equal(now.aggregate?.sha256, then.aggregate?.sha256);
        assert.equal(now.simulated?.jobs, Number(jobs));
      }
    }
  });
}
