/** Finished runs whose files were changed since, one after the other: the same command puts all of it right again. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { volumePaths } from '../lib/formats/volume.js';
import { writeTinyDataset } from './datasets.js';
import { endRun, finishRun, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const data = await writeTinyDataset(directory, 120);
// Who is selected in round 1 alone keeps the model of round 1.
const SETTINGS = [
  ...['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1', '--epochs', '1'],
  ...['--rounds', '2', '--clients', '3', '--fraction', '0.67', '--seed', '1'],
];
const whole = join(directory, 'whole');
await finishRun(whole, SETTINGS);

/** What a run comes to, by path: the bytes that depend on nothing but its settings. */
function outcomeOf(volume: string): ReadonlyMap<string, string> {
  const names = readdirSync(volume, { recursive: true }).map(String).sort();
  const kept = names.filter((name) => /\.(h5|npz)$|manifest\.json$|\/\./.test(name) || name.startsWith('.'));
  return new Map(kept.map((name) => [name, readFileSync(join(volume, name)).toString('base64')]));
}

/** The lines of its records that are no times. */
const figuresOf = async (volume: string) =>
  JSON.parse(
    JSON.stringify([await roundOf(volume, 1), await roundOf(volume, 2)], (key, value: unknown) =>
      key === 'seconds' ? undefined : value,
    ),
  ) as unknown;

async function changed(path: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(path, 'utf8');
  assert.notEqual(change(text), text, path);
  await writeFile(path, change(text));
}

/** One byte in the middle of a file of its own becomes another one. */
async function flipped(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await rm(path);
  await writeFile(path, bytes);
}

type Paths = ReturnType<typeof volumePaths>;

const DAMAGES: Readonly<Record<string, (paths: Paths) => Promise<void>>> = {
  'a round.json that is cut off, and the model of a client with another byte': async (paths) => {
    await changed(paths.round(1).record, (text) => text.slice(0, -10));
    await flipped(paths.clientModel(0));
  },
  "an update of the first round, and another client's model": async (paths) => {
    const [first = 0, second = 0] = (await roundOf(paths.root, 1)).selected;
    await flipped(paths.round(1).update(first));
    await rm(paths.clientModel(second));
    await copyFile(paths.clientModel(first), paths.clientModel(second));
  },
  'an accuracy in round.json that makes another round the best': async (paths) => {
    for (const round of [1, 2]) {
      const { evaluation } = await roundOf(paths.root, round);
      const other = round === 1 ? 0.9876 : 0.0123;
      await changed(paths.round(round).record, (text) =>
        text.replace(`"accuracy": ${evaluation?.accuracy}`, `"accuracy": ${other}`),
      );
    }
  },
  'a client that stands twice in round.json': async (paths) => {
    await changed(paths.round(2).record, (text) => {
      const { checksum: _, ...record } = JSON.parse(text) as { reported: unknown[]; checksum?: string };
      return JSON.stringify({ ...record, reported: [...record.reported, record.reported[0]] });
    });
  },
  'an accuracy.json that says something else': async (paths) => {
    await changed(paths.accuracy, (text) => text.replace(/"loss": \d/, '"loss": 7'));
  },
  'a manifest that is cut off': async (paths) => {
    await changed(paths.manifest, (text) => text.slice(0, -5));
  },
  'a manifest with another number, and one that is gone': async (paths) => {
    await changed(paths.manifest, (text) => text.replace(/"examples": (\d)/, '"examples": 9$1'));
    await finishRun(paths.root, SETTINGS);
    await rm(paths.manifest);
  },
  'the mark of a splitter that was killed at its end': async (paths) => {
    await writeFile(paths.splitMark, '{"files":[]}');
  },
};

for (const [what, damage] of Object.entries(DAMAGES)) {
  test(what, async () => {
    const volume = join(directory, what.replaceAll(/\W+/g, '-'));
    await cp(whole, volume, { recursive: true });
    const expected = { outcome: outcomeOf(whole), figures: await figuresOf(whole) };
    await damage(volumePaths(volume));
    await finishRun(volume, SETTINGS);
    assert.deepEqual(outcomeOf(volume), expected.outcome);
    assert.deepEqual(await figuresOf(volume), expected.figures);
    const accuracy = JSON.parse(readFileSync(join(volume, 'accuracy.json'), 'utf8')) as { loss: number };
    assert.equal(accuracy.loss, (await roundOf(volume, 2)).evaluation?.loss);
    await rm(volume, { recursive: true });
  });
}

test('a run.json that was changed is refused, since it says what the run is; without its checksum it is taken', async () => {
  const volume = join(directory, 'run-record');
  await cp(whole, volume, { recursive: true });
  const { run } = volumePaths(volume);
  await changed(run, (text) => text.replace('"threads": 1', '"threads": 2'));
  const { exitCode, stderr } = await endRun(volume, SETTINGS);
  assert.equal(exitCode, 3);
  assert.match(stderr, /run\.json: expected the record of a run .*, found one that was changed since it was/);
  await changed(run, (text) =>
    text.replace('"threads": 2', '"threads": 1').replace(/,\s*"checksum": "\w+"/, ''),
  );
  await finishRun(volume, SETTINGS);
  assert.ok(existsSync(run));
});

test('records of before there were checksums are taken as they are', async () => {
  const volume = join(directory, 'earlier');
  await cp(whole, volume, { recursive: true });
  const paths = volumePaths(volume);
  for (const path of [paths.run, paths.manifest, paths.accuracy, ...[1, 2].map((r) => paths.round(r).record)])
    await changed(path, (text) => text.replace(/,\s*"checksum": "\w+"/, ''));
  const { stderr } = await finishRun(volume, SETTINGS);
  assert.match(stderr, /split .*skipped\n/);
  assert.match(stderr, /train +round 1: 2 clients, done before: skipped\n/);
  assert.match(stderr, /evaluate +round 2: .*skipped\n/);
});
