/** Small model files that are large inside: refused by every program that opens others' files, in little memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadLibrary, withVirtualFile } from '../lib/formats/hdf5/hdf5-library.js';
import { decodeKerasFile, readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { writeTinyDataset } from './datasets.js';
import { lastLine, type Program, runProgramFile } from './programs.js';
import { sharedDirectory } from './temporary-directory.js';

/** What refusing may take of memory; the arrays would be 3 GB. */
const MAX_MB = 300;
const FLOATS = 2 ** 28;

const directory = sharedDirectory();
const data = await writeTinyDataset(directory);
const meter = join(directory, 'meter.mjs');
await writeFile(
  meter,
  "process.on('exit', () => console.error('MB', process.resourceUsage().maxRSS / 1024));\n",
);

async function measured(program: Program, ...args: readonly string[]) {
  const ended = await runProgramFile(program, args, { env: { NODE_OPTIONS: `--import=${meter}` } });
  const [, megabytes] = /^MB ([\d.]+)$/m.exec(ended.stderr) ?? [];
  assert.ok(Number(megabytes) < MAX_MB, `${program} took ${megabytes} MB`);
  return ended;
}

const dense = (name: string) => ({ class_name: 'Dense', config: { name, units: 4, use_bias: false } });
const CONFIG = {
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    layers: [
      { class_name: 'Flatten', config: { name: 'flatten', batch_input_shape: [null, 8, 8, 1] } },
      ...['a', 'b', 'c'].map(dense),
    ],
  },
};
const NAMES = ['a', 'b', 'c'];

/** A model whose three kernels have chunks that nobody has written: of 1 GiB each, in some kilobytes. */
const largeInside = (facts: { readonly parent?: string } = {}) => chunked(facts, () => FLOATS / 4);

/** A model whose kernels are stored in compressed chunks, of so many rows. */
async function chunked(
  facts: { readonly parent?: string },
  rowsOf: (name: string) => number,
): Promise<Uint8Array> {
  const library = await loadLibrary();
  return withVirtualFile(library, (path) => {
    const file = new library.File(path, 'w', { libver: ['earliest', 'latest'] });
    file.create_attribute('model_config', JSON.stringify(CONFIG), [], 'S');
    if (facts.parent !== undefined) {
      for (const [name, value] of [
        ['client', 0],
        ['round', 1],
        ['examples', 5],
      ] as const)
        file.create_attribute(`fedbatch_${name}`, [value], [], '<q');
      file.create_attribute('fedbatch_parent', facts.parent, [], 'S');
    }
    const root = file.create_group('model_weights');
    root.create_attribute('layer_names', ['flatten', ...NAMES], [4], 'A8');
    root.create_group('flatten').create_attribute('weight_names', new Float64Array(0), [0]);
    for (const name of NAMES) {
      const group = root.create_group(name);
      group.create_attribute('weight_names', ['kernel'], [1], 'A8');
      const kernel = group.create_dataset({
        name: 'kernel',
        data: new Float32Array(4),
        shape: [1, 4],
        maxshape: [null, 4],
        chunks: [4096, 4],
        compression: 9,
      });
      kernel.resize([rowsOf(name), 4]);
    }
    file.close();
    return library.Module.FS.readFile(path);
  });
}

test('an update that is large inside is rejected for its shapes, and the others make the same model', async () => {
  const weights = NAMES.map((name, index) => ({
    name: `${name}/kernel:0`,
    shape: [index === 0 ? 64 : 4, 4],
    values: new Float32Array(index === 0 ? 256 : 16).fill(0.5),
  }));
  const parentFile = join(directory, 'global.h5');
  const parent = await writeKerasFile(parentFile, { modelConfig: CONFIG, kerasVersion: '2.15.0', weights });
  const updates = join(directory, 'updates');
  await mkdir(updates);
  for (const client of [1, 2]) {
    const update = { client, round: 1, examples: 5, parent };
    await writeKerasFile(join(updates, `${client}.h5`), { ...(await readKerasFile(parentFile)), update });
  }
  const args = ['--dir', updates, '--parent', parentFile, '--out', join(directory, 'next.h5')];
  const honest = await measured('aggregator/cli', ...args);
  const bytes = await largeInside({ parent });
  assert.ok(bytes.length < 1e6, `${bytes.length} bytes`);
  await writeFile(join(updates, '0.h5'), bytes);
  const { exitCode, stdout, stderr } = await measured('aggregator/cli', ...args);
  assert.equal(exitCode, 0, stderr);
  const result = JSON.parse(lastLine(stdout)) as { sha256: string; rejected: { reason: string }[] };
  assert.equal(result.sha256, (JSON.parse(lastLine(honest.stdout)) as { sha256: string }).sha256);
  assert.deepEqual(
    result.rejected.map(({ reason }) => reason),
    [`has a/kernel:0 of shape [${FLOATS / 4},4], not [64,4]`],
  );

  // Of the right shapes, but as no trainer stores them: what a chunk inflates to nobody can tell before.
  await writeFile(join(updates, '0.h5'), await chunked({ parent }, (name) => (name === 'a' ? 64 : 4)));
  execFileSync('mkfifo', [join(updates, '3.h5')]);
  await copyFile(join(updates, '1.h5'), join(updates, '4.h5'));
  await writeFile(join(updates, '4.h5'), Buffer.alloc(70e6), { flag: 'r+' });
  const more = await measured('aggregator/cli', ...args);
  assert.equal(more.exitCode, 0, more.stderr);
  assert.match(more.stderr, /0\.h5: .*a\/kernel:0 as fedbatch stores it.*found them in chunks/);
  assert.match(more.stderr, /3\.h5: .*found something that is no file/);
  assert.match(more.stderr, /4\.h5: .*of at most \d+ bytes, found 70000000/);
});

test('such a model is refused by who tests, trains on and serves it', async () => {
  const model = join(directory, 'large.h5');
  await writeFile(model, await largeInside());
  const calls: readonly (readonly [Program, ...string[]])[] = [
    ['evaluator/cli', '--model', model, '--data', data],
    ['trainer/cli', '--init', model, '--data', data, '--out', join(directory, 'no.h5')],
    ['server/cli', '--model', model, '--port', '0'],
    ['aggregator/cli', model, '--out', join(directory, 'no.h5')],
  ];
  for (const [program, ...args] of calls) {
    const { exitCode, stderr } = await measured(program, ...args);
    assert.equal(exitCode, program === 'aggregator/cli' ? 4 : 3, stderr);
    assert.match(
      stderr,
      /large\.h5: expected arrays of at most 64 MB or 100 times the file, found more at \/model_weights\/a\/kernel/,
    );
  }
});

test('a list of texts that are all one long text is refused before it is read', async () => {
  const library = await loadLibrary();
  const long = 'x'.repeat(5_000_000);
  const bytes = withVirtualFile(library, (path) => {
    const file = new library.File(path, 'w', { libver: ['earliest', 'latest'] });
    file.create_attribute('model_config', JSON.stringify(CONFIG), [], 'S');
    const root = file.create_group('model_weights');
    root.create_attribute('layer_names', [long, ...Array<string>(60).fill('y')], [61], 'S');
    file.close();
    return Buffer.from(library.Module.FS.readFile(path));
  });
  // A text of variable length is 16 bytes in the attribute: its length, and where it lies.
  const length = Buffer.alloc(4);
  length.writeUInt32LE(long.length);
  const first = bytes.indexOf(length);
  assert.ok(first > 0);
  for (let text = 1; text <= 60; text++) bytes.copy(bytes, first + 16 * text, first, first + 16);
  const before = library.Module.HEAPU8.length;
  await assert.rejects(decodeKerasFile(bytes, 'texts.h5'), /61 texts beside one of 500000\d bytes/);
  assert.ok(library.Module.HEAPU8.length - before < 100e6);
});

test('a description that is nested without end is no model, whatever reads it', async () => {
  const model = join(directory, 'deep.h5');
  const library = await loadLibrary();
  const depth = 200_000;
  for (const text of [
    '['.repeat(depth) + ']'.repeat(depth),
    `${'{"config":'.repeat(depth)}1${'}'.repeat(depth)}`,
  ]) {
    const bytes = withVirtualFile(library, (path) => {
      const file = new library.File(path, 'w', { libver: ['earliest', 'latest'] });
      file.create_attribute('model_config', text, [], 'S');
      file.create_group('model_weights').create_attribute('layer_names', ['a'], [1], 'A8');
      file.close();
      return library.Module.FS.readFile(path);
    });
    await writeFile(model, bytes);
    const { exitCode, stderr } = await measured('evaluator/cli', '--model', model, '--data', data);
    assert.equal(exitCode, 3, stderr);
  }
});
