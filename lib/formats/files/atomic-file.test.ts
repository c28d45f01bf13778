/** Whole files: written, placed and swept so that nobody reads a part of one. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import fsPromises, { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { DataError, StorageError, UsageError } from '../../core/errors.js';
import { placeFileAtomic, removeTemporaryFiles, writeFileAtomic, writeWhile } from './atomic-file.js';
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

/** Has each operation of the file system end when `scheduler` says so. */
function scheduled(scheduler: fc.Scheduler): void {
  const names = ['link', 'open', 'readdir', 'rename', 'rm'] as const;
  for (const name of names) {
    const operation = REAL[name] as (...args: unknown[]) => Promise<unknown>;
    Object.assign(fsPromises, { [name]: scheduler.scheduleFunction(operation) });
  }
  syncBuiltinESMExports();
}

const REAL = { ...fsPromises };

test('of writers that take the place of each other, halted at any operation, the last one finds nothing changed', async () => {
  const run = async (scheduler: fc.Scheduler, takesFile: boolean) => {
    const root = await REAL.mkdtemp(join(directory, 'place-'));
    const [file, source] = [join(root, 'file'), join(directory, 'source')];
    const content = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
    let holder = '';
    const halt = () => scheduler.schedule(Promise.resolve());
    const writer = async (name: string) => {
      await halt();
      holder = name;
      await removeTemporaryFiles(root);
      let found = content();
      const check = async () => {
        const isHeld = holder === name;
        if (isHeld) assert.equal(content(), found, `${name} wrote last`);
        await halt();
        if (!isHeld) throw new UsageError('lost');
      };
      for (const version of ['1', '2']) {
        const text = `${name}${version}`;
        await writeWhile(check, async () => {
          if (!takesFile) return await writeFileAtomic(file, text);
          await REAL.writeFile(`${source}-${text}`, text);
          return await placeFileAtomic(`${source}-${text}`, file);
        });
        found = text;
      }
    };
    scheduled(scheduler);
    const endings = await scheduler.waitFor(Promise.allSettled(['a', 'b', 'c'].map(writer)));
    for (const [at, ending] of endings.entries()) {
      const isLast = 'abc'[at] === holder;
      if (ending.status === 'rejected') assert.ok(ending.reason instanceof UsageError, ending.reason);
      assert.ok(ending.status === 'fulfilled' || !isLast, 'the last one completes');
    }
    assert.equal(content(), `${holder}2`);
    assert.deepEqual(await REAL.readdir(root), ['file']);
  };
  try {
    await fc.assert(fc.asyncProperty(fc.scheduler(), fc.boolean(), run), { numRuns: 60 });
  } finally {
    Object.assign(fsPromises, REAL);
    syncBuiltinESMExports();
  }
});
