/** Whole files: written, placed and swept so that nobody reads a part of one. */
import assert from 'node:assert/strict';
import fsPromises, { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DataError, StorageError, UsageError } from '../../core/errors.js';
import {
  placeFileAtomic,
  removeTemporaryFiles,
  writeFileAtomic,
  writeFolderAtomic,
  writeWhile,
} from './atomic-file.js';
import { sha256, sha256OfFile } from './read-file.js';

let directory = '';
const at = (name: string) => join(directory, name);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a file is placed under a second name, also over an old file, over itself, and in a new directory', async () => {
  await writeFileAtomic(at('a'), 'new');
  await writeFileAtomic(at('b'), 'old');
  for (let time = 0; time < 2; time++) {
    await placeFileAtomic(at('a'), at('b'));
    assert.equal(await readFile(at('b'), 'utf8'), 'new');
  }
  await placeFileAtomic(at('a'), at('below/c'));
  assert.equal(await readFile(at('below/c'), 'utf8'), 'new');
  assert.deepEqual((await readdir(directory)).sort(), ['a', 'b', 'below']);
});

test('what is placed stays when its source is replaced', async () => {
  await writeFileAtomic(at('a'), 'one');
  await placeFileAtomic(at('a'), at('b'));
  await writeFileAtomic(at('a'), 'two');
  assert.equal(await readFile(at('b'), 'utf8'), 'one');
});

test('placing a file that is missing, or where no file can be, is an error that names it', async () => {
  await assert.rejects(placeFileAtomic(at('none'), at('b')), (error: unknown) => {
    return (
      error instanceof DataError &&
      error.message.includes('none: expected a file to copy, found no such file')
    );
  });
  await writeFileAtomic(at('a'), 'one');
  await assert.rejects(placeFileAtomic(at('a'), at('a/b')), StorageError);
  assert.deepEqual(await readdir(directory), ['a']);
});

test('the hash of a file is that of its bytes', async () => {
  const bytes = new Uint8Array(300_000).map((_, index) => index * 7);
  await writeFileAtomic(at('a'), bytes);
  assert.equal(await sha256OfFile(at('a'), 'bytes'), sha256(bytes));
  await assert.rejects(sha256OfFile(at('b'), 'a model'), /b: expected a model, found no such file\.$/);
  await assert.rejects(sha256OfFile(directory, 'a model'), /expected a model, found a directory\.$/);
});

test('only unfinished files are swept', async () => {
  await writeFile(at('.tmp-x.h5-12ab'), 'half');
  await writeFile(at('x.h5'), 'whole');
  await removeTemporaryFiles(directory);
  await removeTemporaryFiles(at('nowhere'));
  assert.deepEqual(await readdir(directory), ['x.h5']);
  assert.equal((await stat(at('x.h5'))).size, 5);
});

const REAL = { ...fsPromises };

/** Does `meanwhile` before the operation of that number; false when there were not so many. */
async function haltedBefore(
  number: number,
  work: () => Promise<void>,
  meanwhile: () => Promise<void>,
): Promise<boolean> {
  let operations = 0;
  for (const name of ['link', 'open', 'readdir', 'rename', 'rm'] as const) {
    const operation = REAL[name] as (...args: unknown[]) => Promise<unknown>;
    const halting = async (...args: unknown[]) => {
      operations += 1;
      if (operations === number) await meanwhile();
      return await operation(...args);
    };
    Object.assign(fsPromises, { [name]: halting });
  }
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    Object.assign(fsPromises, REAL);
    syncBuiltinESMExports();
  }
  return operations >= number;
}

for (const takesFile of [false, true]) {
  test(`a writer that is halted before any operation changes nothing once another has its place (${takesFile ? 'placing' : 'writing'})`, async () => {
    let lost = 0;
    for (let number = 1, isHalted = true; isHalted; number++) {
      const root = at(`${number}`);
      const file = join(root, 'file');
      await REAL.mkdir(root);
      let holder = '';
      const write = async (name: string) => {
        holder = name;
        await removeTemporaryFiles(root);
        const check = async () => {
          if (holder !== name) throw new UsageError('lost');
        };
        for (const text of [`${name}1`, `${name}2`]) {
          await REAL.writeFile(at(text), text);
          await writeWhile(check, () =>
            takesFile ? placeFileAtomic(at(text), file) : writeFileAtomic(file, text),
          );
        }
      };
      const first = () =>
        write('a').catch((error: unknown) => {
          assert.ok(error instanceof UsageError, String(error));
          lost += 1;
        });
      isHalted = await haltedBefore(number, first, () => write('b'));
      assert.equal(await readFile(file, 'utf8'), isHalted ? 'b2' : 'a2', `operation ${number}`);
      assert.deepEqual(await readdir(root), ['file'], `operation ${number}`);
    }
    assert.ok(lost >= 6, `${lost} times`);
  });
}

/** Does `work` as far as a process that is killed before the operation of that number; false when there were not so many. */
function killedBefore(number: number, work: () => Promise<void>): Promise<boolean> {
  let die = () => {};
  const death = new Promise<void>((resolve) => {
    die = resolve;
  });
  const never = () => {
    die();
    return new Promise<void>(() => {});
  };
  return haltedBefore(number, () => Promise.race([work(), death]), never);
}

test('of a folder that is replaced the earlier one or the new one is there, wherever its writer is killed', async () => {
  const left = new Set<string>();
  for (let number = 1, isKilled = true; isKilled; number++) {
    const root = at(`${number}`);
    const folder = join(root, 'model');
    const write = (text: string) =>
      writeFolderAtomic(folder, async (temporary) => {
        for (const name of ['a', 'b']) await writeFile(join(temporary, name), text);
      });
    const texts = () => Promise.all(['a', 'b'].map((name) => readFile(join(folder, name), 'utf8')));
    await write('old');
    isKilled = await killedBefore(number, () => write('new'));
    // A session that takes the volume over removes what is unfinished.
    await removeTemporaryFiles(root);
    for (const name of await readdir(root)) left.add(name.replace(/-[0-9a-f]{8}$/, ''));
    // The next writer puts right what it finds before it comes to nothing itself.
    await assert.rejects(
      writeFolderAtomic(folder, () => Promise.reject(new Error('no'))),
      /could not be written: no\.$/,
    );
    const found = (await texts()).join();
    assert.ok(['old,old', 'new,new'].includes(found), `operation ${number}: ${found}`);
    assert.deepEqual(await readdir(root), ['model'], `operation ${number}`);
    await write('next');
    assert.deepEqual([await texts(), await readdir(root)], [['next', 'next'], ['model']]);
  }
  assert.deepEqual([...left].sort(), ['.earlier-model', 'model'], 'the moment without a folder was met');
});
