/** Runs of many rounds: a resume goes by records, pruned rounds are missed by nobody, and the bytes stay the same. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { requireValid } from './results.js';
import { finishRun, type ResultLine, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const data = join(directory, 'tiny.npz');
const SETTINGS = ['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1', '--seed', '5'];
const SIMULATED = [...SETTINGS, '--clients', '3', '--fraction', '0.7', '--simulate', '--jobs', '1'];
const ROUNDS = 9;
const KEPT = 2;

const at = (volume: string) => join(directory, volume);
const folder = (volume: string, round: number) => join(at(volume), 'rounds', String(round).padStart(4, '0'));
const filesOf = (volume: string, round: number): readonly string[] =>
  readdirSync(folder(volume, round), { recursive: true }).map(String).sort();
const outcome = ({ accuracy, best, sha256, participation, rounds }: ResultLine) => ({
  ...{ accuracy, best, sha256, participation, rounds },
});
/** What does not depend on the clock. */
const timeless = (value: object) =>
  JSON.parse(JSON.stringify(value, (key, each: unknown) => (/seconds/i.test(key) ? 0 : each))) as unknown;

/** Damages a byte in the middle of a file. */
function damage(file: string): void {
  const bytes = readFileSync(file);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
  writeFileSync(file, bytes);
}

/** All rounds with all their files, and the same with few. */
let whole: ResultLine;
let pruned: ResultLine;
before(async () => {
  await writeTinyDataset(directory);
  whole = await finishRun(at('whole'), [...SIMULATED, '--rounds', `${ROUNDS}`]);
  pruned = await finishRun(at('pruned'), [...SIMULATED, '--rounds', `${ROUNDS}`, '--keep-rounds', `${KEPT}`]);
});

test('a run that keeps few rounds comes to the same, and lists what it has removed', async () => {
  assert.deepEqual(outcome(pruned), outcome(whole));
  for (const name of ['aggregated-model.h5', 'best-model.h5'])
    assert.ok(readFileSync(join(at('pruned'), name)).equals(readFileSync(join(at('whole'), name))), name);
  assert.doesNotMatch(
    await readFile(join(at('pruned'), 'run.json'), 'utf8'),
    /keep/,
    'nothing depends on it',
  );
  for (let round = 1; round <= ROUNDS; round++) {
    const record = await roundOf(at('pruned'), round);
    requireValid('round', record);
    const { pruned: gone, seconds: _, ...facts } = record;
    const { seconds: __, ...all } = await roundOf(at('whole'), round);
    assert.deepEqual(timeless(facts), timeless(all), `round ${round}`);
    const isKept = round > ROUNDS - KEPT;
    assert.deepEqual(gone, isKept ? undefined : ['global.h5'], `round ${round}`);
    const isBest = pruned.best.round === round - 1;
    assert.deepEqual(
      filesOf('pruned', round),
      isKept || isBest ? ['global.h5', 'round.json'] : ['round.json'],
    );
  }
});

test('it goes on, is told of, reported and compared like any other', async () => {
  const flags = [...SIMULATED, '--keep-rounds', `${KEPT}`];
  const again = await finishRun(at('pruned'), [...flags, '--rounds', `${ROUNDS}`]);
  assert.deepEqual(outcome(again), outcome(whole));
  assert.match(again.stderr, /train +rounds 1 to 7, by their records, done before: skipped/);
  assert.doesNotMatch(again.stderr, / {2}\d+\.\d s$/m, 'no stage did anything');
  await cp(at('pruned'), at('longer'), { recursive: true });
  await cp(at('whole'), at('longer-whole'), { recursive: true });
  const longer = await finishRun(at('longer'), [...flags, '--rounds', `${ROUNDS + 1}`]);
  const expected = await finishRun(at('longer-whole'), [...SIMULATED, '--rounds', `${ROUNDS + 1}`]);
  assert.deepEqual(outcome(longer), outcome(expected));
  assert.match(expected.stderr, /train +rounds 1 to 4, by their records/, 'without pruning five are checked');
  assert.ok(!existsSync(join(folder('longer', 8), 'global.h5')) || longer.best.round === 7);
  const status = await runCommand('status', [at('pruned'), '--json']);
  const { rounds, state, best } = JSON.parse(status.stdout) as {
    readonly rounds: number;
    readonly state: string;
    readonly best: { readonly round: number };
  };
  assert.deepEqual([rounds, state, best.round], [ROUNDS, 'finished', whole.best.round]);
  const compared = await runCommand('runs', ['compare', at('pruned'), at('whole'), '--json']);
  const { figures } = JSON.parse(compared.stdout) as {
    readonly figures: readonly { readonly name: string; readonly values: readonly number[] }[];
  };
  for (const { name, values } of figures) if (name !== 'seconds') assert.equal(values[0], values[1], name);
  const report = await readFile(join(at('pruned'), 'report.html'), 'utf8');
  assert.match(report, new RegExp(`round ${ROUNDS}`, 'i'));
});

test('what is damaged among the last rounds is made again, and the best model comes from where it is kept', async () => {
  await cp(at('pruned'), at('damaged'), { recursive: true });
  damage(join(folder('damaged', ROUNDS), 'global.h5'));
  damage(join(at('damaged'), 'best-model.h5'));
  const flags = [...SIMULATED, '--rounds', `${ROUNDS}`, '--keep-rounds', `${KEPT}`];
  const healed = await finishRun(at('damaged'), flags);
  assert.deepEqual(outcome(healed), outcome(whole));
  assert.match(
    healed.stderr,
    /round 8: .* {2}\d+\.\d s$/m,
    'the round that ends with that model is done again',
  );
  for (const name of ['rounds/0009/global.h5', 'best-model.h5'])
    assert.ok(readFileSync(join(at('damaged'), name)).equals(readFileSync(join(at('whole'), name))), name);
});

test('a record that no longer fits, where rounds are pruned, costs all rounds and no byte', async () => {
  await cp(at('pruned'), at('broken'), { recursive: true });
  const file = join(folder('broken', 3), 'round.json');
  const record = JSON.parse(await readFile(file, 'utf8')) as { aggregate: { inputs: string } };
  record.aggregate.inputs = '0'.repeat(64);
  writeFileSync(file, JSON.stringify(record));
  const flags = [...SIMULATED, '--rounds', `${ROUNDS}`, '--keep-rounds', `${KEPT}`];
  const again = await finishRun(at('broken'), flags);
  assert.match(again.stderr, /Models that the run would go on from are gone/);
  assert.deepEqual(outcome(again), outcome(whole));
  assert.deepEqual(filesOf('broken', 2), filesOf('pruned', 2));
  await rm(at('broken'), { recursive: true });
});

test('clients that go on from what they kept find it, however long ago that was', async () => {
  const scaffold = [
    ...[...SETTINGS, '--clients', '4', '--fraction', '0.5', '--rounds', '7', '--simulate', '--jobs', '1'],
    ...['--strategy', 'scaffold'],
    ...['--optimizer', 'sgd', '--momentum', '0', '--learning-rate', '0.05'],
  ];
  const all = await finishRun(at('scaffold'), scaffold);
  const few = await finishRun(at('scaffold-few'), [...scaffold, '--keep-rounds', '1']);
  assert.deepEqual(outcome(few), outcome(all));
  const updates = Array.from({ length: 6 }, (_, index) =>
    filesOf('scaffold-few', index + 1).filter((name) => /\d\.h5$/.test(name)),
  ).flat();
  assert.deepEqual(
    [...updates].sort(),
    [...new Set(updates)].sort(),
    'of each client its last update alone is kept of the rounds that are pruned',
  );
  assert.ok(updates.length > 0);
});
