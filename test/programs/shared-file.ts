/**
 * Works on one file of a file system that machines share, for so many seconds, and prints what it saw as one JSON line:
 *
 *   write FILE SECONDS     puts one of two contents in its place, in turn
 *   read FILE SECONDS      reads it whole, again and again: how often it saw which
 *   contend FILE SECONDS   takes it as a lock and gives it back: how often, and that nobody else was inside
 *   find FILE SECONDS      looks for it by name: after how many seconds it was there
 *   list FILE SECONDS      looks for it in the listing of its directory, likewise
 *   ask FILE               looks by name, in the listing, and then as programs do
 */
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../lib/core/errors.js';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { isThere } from '../../lib/formats/files/late-names.js';
import { takeLock } from '../../lib/formats/files/lock-file.js';
import { exists, readFileBytes } from '../../lib/formats/files/read-file.js';

const [what = '', file = '', seconds = '0'] = process.argv.slice(2);
const endsAt = performance.now() + Number(seconds) * 1000;
const isOver = () => performance.now() > endsAt;

/** Larger than what a client reads at once. */
const SIZE_BYTES = 2_500_000;

async function write(): Promise<object> {
  let writes = 0;
  do await writeFileAtomic(file, Buffer.alloc(SIZE_BYTES, 97 + (writes++ % 2)));
  while (!isOver());
  return { writes };
}

async function read(): Promise<object> {
  const seen: Record<string, number> = {};
  while (!isOver()) {
    const content = await readFileBytes(file, 'what was written').then(contentOf, messageOf);
    seen[content] = (seen[content] ?? 0) + 1;
  }
  return seen;
}

/** `a` or `b` where it is whole. */
function contentOf(bytes: Uint8Array): string {
  const first = bytes[0] ?? 0;
  const isWhole = bytes.length === SIZE_BYTES && bytes.every((byte) => byte === first);
  return isWhole ? String.fromCharCode(first) : `torn: ${bytes.length} bytes`;
}

async function contend(): Promise<object> {
  let times = 0;
  while (!isOver()) {
    const lock = await takeLock(file).catch(() => undefined);
    if (lock === undefined) {
      await sleep(2);
      continue;
    }
    closeSync(openSync(`${file}.inside`, 'wx'));
    await sleep(2);
    unlinkSync(`${file}.inside`);
    lock.release();
    times += 1;
  }
  return { times };
}

/** After how many seconds a look sees the file. */
async function lookUntilSeen(look: () => Promise<boolean>): Promise<object> {
  const begun = performance.now();
  for (let first = true; !isOver(); first = false) {
    if (await look()) return { seconds: Math.round(performance.now() - begun) / 1000 };
    if (first) process.stderr.write('looking\n');
    await sleep(200);
  }
  return {};
}

const isListed = async () => (await readdir(dirname(file))).includes(basename(file));
const find = () => lookUntilSeen(() => exists(file));
const list = () => lookUntilSeen(isListed);

/** The first answer is what the client remembers. */
const ask = async () => ({
  name: await exists(file),
  asked: await isThere(file),
  listed: await isListed(),
});

const works: Readonly<Record<string, () => Promise<object>>> = { write, read, contend, find, list, ask };
process.stdout.write(`${JSON.stringify(await works[what]?.())}\n`);
