/** Pictures that end or stop their decoder are refused; what was read beside them is read, and so is what follows. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { constants, getPriority } from 'node:os';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import { HttpProblem } from '../../lib/http/problems.js';
import { MARKS } from '../testing/mortal-workers.js';
import { digitPng } from '../testing/segment-digits.js';
import { createDecoder } from './decode-apart.js';
import { prepareImage } from './decode-image.js';

const workerUrl = new URL('../testing/mortal-workers.js', import.meta.url);

describe('a picture that its decoder does not survive', async () => {
  const good = await digitPng(7);
  const marked = (mark: string) => Buffer.concat([good, Buffer.from(mark)]);
  const input = { shape: [28, 28, 1], subject: 'signs' } as const;
  const expected = await prepareImage(good, input);
  const refused = (sentence: RegExp) => (error: unknown) => {
    assert.ok(error instanceof HttpProblem);
    assert.equal(error.status, 422);
    assert.match(error.message, sentence);
    return true;
  };

  it('is refused, alone and beside others, which are read', async () => {
    const decoder = createDecoder({ workerUrl });
    decoder.start();
    const bad = decoder.prepareImage(marked(MARKS.ends), input);
    const beside = Array.from({ length: 4 }, () => decoder.prepareImage(good, input));
    await assert.rejects(bad, refused(/ends its decoder, and cannot be read\.$/));
    for (const picture of await Promise.all(beside)) assert.deepEqual(picture, expected);
    await assert.rejects(decoder.prepareImage(marked(MARKS.ends), input), refused(/ends its decoder/));
    assert.deepEqual(await decoder.prepareImage(good, input), expected);
  });

  it('is refused after the deadline where it stops its decoder', async () => {
    const decoder = createDecoder({ workerUrl, deadlineMs: 5_000 });
    const bad = decoder.prepareImage(marked(MARKS.hangs), input);
    const beside = decoder.prepareImage(good, input);
    await assert.rejects(bad, refused(/takes too long to read\.$/));
    assert.deepEqual(await beside, expected);
  });

  it('is refused as everywhere where it is merely damaged', async () => {
    const decoder = createDecoder();
    const jpeg = Buffer.from('\xff\xd8\xff\xe0 no more', 'latin1');
    await assert.rejects(decoder.readSides(jpeg), refused(/The JPEG image is damaged or incomplete/));
    await assert.rejects(
      decoder.prepareImage(good.subarray(0, 60), input),
      refused(/The PNG image is damaged/),
    );
  });
});

/** The processes that this one has started, with their priorities. */
async function priorities(): Promise<readonly number[]> {
  const threads = await readdir('/proc/self/task');
  const lists = threads.map((thread) => readFile(`/proc/self/task/${thread}/children`, 'utf8'));
  const pids = (await Promise.all(lists)).join(' ').split(' ').filter(Boolean);
  return pids.map((pid) => getPriority(Number(pid)));
}

describe('a large picture', () => {
  const isLinux = process.platform === 'linux';
  const reason = 'a process has its list of children on Linux only';

  it('becomes the same input in a process that lets others go first', {
    skip: !isLinux && reason,
  }, async () => {
    const large = await sharp(await digitPng(4))
      .resize(400, 400)
      .png()
      .toBuffer();
    const input = { shape: [28, 28, 1], subject: 'signs', isShown: true } as const;
    const decoder = createDecoder();
    decoder.start();
    const found = await decoder.prepareImage(large, input);
    assert.deepEqual(found, await prepareImage(large, input));
    assert.ok(found.stages.length > 0 && found.given?.width === 400);
    const among = await priorities();
    const [lowest, highest] = [Math.max(...among), Math.min(...among)];
    assert.equal(lowest, constants.priority.PRIORITY_BELOW_NORMAL);
    assert.ok(highest < lowest, `${among}`);
  });
});
