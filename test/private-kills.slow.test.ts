/** A private run that is killed before every one of its operations on files: no model is made twice with other noise. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readRoundRecord } from '../lib/formats/run-record.js';
import { writeTinyDataset } from './datasets.js';
import { killedAt } from './processes.js';
import { programPath } from './programs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = await sharedDirectory();
const data = await writeTinyDataset(directory);
const SETTINGS = [
  ...['--data', data, '--model', 'mlp', '--local-steps', '1', '--batch', '20', '--threads', '1'],
  ...['--clients', '2', '--rounds', '1', '--dp-clip', '0.5', '--dp-noise', '4', '--json'],
];

for (const [program, more] of [
  ['aggregator/cli.js', []],
  ['/dist/cli.js', []],
  ['simulator/cli.js', ['--simulate']],
] as const) {
  test(`killed in ${program}`, async (t) => {
    const volume = join(directory, 'volume');
    const model = join(volume, 'rounds', '0002', 'global.h5');
    const result = join(volume, 'aggregated-model.h5');
    const run = (env: NodeJS.ProcessEnv = {}) => {
      const args = ['run', '--volume', volume, ...SETTINGS, ...more];
      return execa(process.execPath, [programPath('cli'), ...args], { cwd: directory, reject: false, env });
    };
    const recorded = async () => {
      const record = await readRoundRecord(join(volume, 'rounds', '0001', 'round.json')).catch(
        () => undefined,
      );
      return record?.aggregate;
    };
    let points = 0;
    for (let before = 1; ; before++) {
      await rm(volume, { recursive: true, force: true });
      const killed = await run(killedAt({ program, path: volume, before }));
      if (killed.exitCode === 0) break;
      points += 1;
      const seen = [model, result]
        .filter((file) => existsSync(file))
        .map((file) => sha256(readFileSync(file)));
      if (existsSync(result)) assert.equal((await recorded())?.sha256, seen[1], `before ${before}`);
      const { exitCode, stderr } = await run();
      assert.equal(exitCode, 0, stderr);
      for (const hash of seen) assert.equal(hash, sha256(readFileSync(model)), `before ${before}`);
      assert.equal((await recorded())?.privacy?.redraws, undefined);
    }
    t.diagnostic(`${points} operations`);
    assert.ok(points >= 8, `${points} operations`);
  });
}
