/** Attackers of the poisoning table: what they send takes the place of what they trained, and nobody else's changes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import type { Weights } from '../../lib/core/weights.js';
import { readRoundRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { program } from '../section.js';
import { type Attackers, attackersOf, type Images, poisonExamples, poisonUpdate, stamp } from './attacks.js';
import type { Result } from './results.js';
import { addResult, readResults } from './results.js';
import { poisoningMarkdown } from './tables.js';
import { nameOf, STRATEGIES, settingsHash, trialsOf } from './trials.js';

const model = (...values: readonly number[]): Weights => [
  { name: 'w', shape: [values.length], values: Float32Array.from(values) },
];

describe('attackers', () => {
  it('are a share of the clients, the same for the same seed', () => {
    const drawn = attackersOf({ clients: 20, share: 0.3, seed: 1 });
    assert.equal(new Set(drawn).size, 6);
    assert.deepEqual(attackersOf({ clients: 20, share: 0.3, seed: 1 }), drawn);
    assert.deepEqual(attackersOf({ clients: 20, share: 0, seed: 1 }), []);
  });

  it('change updates in place, or leave them to change examples', () => {
    const [place, honest] = [{ client: 1, round: 1, global: model(1, 2), seed: 0 }, [1.5, 1]];
    const sent = (attack: Attackers['attack']) => {
      const update = model(...honest);
      poisonUpdate(update, attack, place);
      return [...(update[0]?.values ?? [])];
    };
    assert.deepEqual(sent('sign-flip'), [1 - 10 * 0.5, 2 + 10]);
    assert.deepEqual(sent('huge'), [1e30, 1e30].map(Math.fround));
    assert.notDeepEqual(sent('noise'), honest);
    assert.deepEqual(sent('noise'), sent('noise'));
    for (const attack of ['none', 'label-flip', 'backdoor'] as const) assert.deepEqual(sent(attack), honest);
  });

  it('flip labels of their own, and put the square on every other image', () => {
    const images = (): Images => ({
      pixels: new Uint8Array(3 * 16),
      labels: Uint8Array.of(1, 2, 3),
      side: 4,
    });
    const flipped = images();
    poisonExamples(flipped, 'label-flip', [0, 2]);
    assert.deepEqual(flipped.labels, Uint8Array.of(8, 2, 6));
    const stamped = images();
    poisonExamples(stamped, 'backdoor', [0, 1]);
    assert.deepEqual(stamped.labels, Uint8Array.of(0, 2, 3));
    const one = images();
    stamp(one, 0);
    assert.deepEqual(stamped.pixels, one.pixels);
    assert.deepEqual(
      [...one.pixels.subarray(0, 16)],
      [0, 0, 0, 0, ...Array(3).fill([0, 255, 255, 255])].flat(),
    );
  });

  it('in the simulator, theirs is what the server gets, and what a person is told of', async (t) => {
    const volume = join(await temporaryDirectory(t), 'run');
    const attackers: Attackers = { attack: 'sign-flip', clients: [4], seed: 0 };
    const hook = new URL('./poisoned-clients.js', import.meta.url).href;
    const { stderr } = await execa(
      process.execPath,
      [
        ...[program('cli'), 'run', '--simulate', '--clients', '8', '--model', 'logistic', '--epochs', '1'],
        ...['--batch', 'all', '--optimizer', 'sgd', '--jobs', '2', '--volume', volume],
      ],
      { env: { NODE_OPTIONS: `--import=${hook}`, FEDBATCH_BENCH_ATTACKERS: JSON.stringify(attackers) } },
    );
    const { reported } = await readRoundRecord(volumePaths(volume).round(1).record);
    const norms = reported.map(({ norm = 0 }) => norm);
    const honest = norms.filter((_, client) => client !== 4);
    assert.ok((norms[4] ?? 0) > 5 * Math.max(...honest), `${norms}`);
    assert.match(stderr, /unlike the others: client 4 \(norm \d/);
  });
});

describe('the journal of the poisoning table', () => {
  it('keeps one line a trial, whoever adds it, and the tables tell of what is there', async (t) => {
    const path = join(await temporaryDirectory(t), 'a', 'results.jsonl');
    const facts = {
      settings: settingsHash(),
      commit: 'c',
      date: '2026-01-01',
      rounds: 15,
      exitCode: 0,
      seconds: 1,
    };
    const trials = trialsOf({ seeds: 2 });
    assert.equal(new Set(trials.map(nameOf)).size, 2 * 2 * 11 * Object.keys(STRATEGIES).length);
    const wanted = trials.filter(
      ({ split, attack, strategy, share }) =>
        split === 'iid' && attack === 'backdoor' && strategy === 'krum' && share === 0.2,
    );
    const results = wanted.map(
      (trial, at): Result => ({ ...trial, ...facts, accuracy: 0.9 + at / 50, backdoor: 0.5 }),
    );
    await Promise.all(results.map((result) => addResult(path, result)));
    await addResult(path, { ...(results[0] as Result), unlike: { attackers: 0.75, honest: 0 } });
    await addResult(path, { ...(results[0] as Result), strategy: 'median', exitCode: 4, settings: 'others' });
    const found = await readResults(path);
    assert.equal(found.length, 2);
    const markdown = poisoningMarkdown(found);
    assert.match(markdown, /\| backdoor \| 20 % \| .*not run yet.* \| 91\.0 ± 1\.4 \|/);
    assert.match(markdown, /\| backdoor: backdoor opens \| 20 % \| .* \| 50\.0 ± 0\.0 \|/);
    assert.match(markdown, /\| backdoor \| 20 % \| 75\.0 % \| 0\.0 % \| – \| – \|/);
    const failed = { ...(results[0] as Result), exitCode: 4 };
    assert.match(poisoningMarkdown([failed]), /1 of 1 end with exit code 4/);
  });
});
