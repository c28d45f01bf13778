import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { randomStream } from '../../lib/core/random.js';
import { blackPng, deflated, pngChunk } from '../../test/hostile-files.js';
import { digitPng, drawDigit, MNIST_LIKE, ON_PAPER } from '../testing/segment-digits.js';
import { type ServedApp, serveApp, upload } from '../testing/served-app.js';

const MEGABYTE = 2 ** 20;

/** A GIF whose screen and only frame claim a size that its data do not fill. */
function hugeGif(side: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(side, 0);
  size.writeUInt16LE(side, 2);
  return Buffer.concat([
    Buffer.from('GIF89a'),
    size,
    Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
    Buffer.from([0x2c, 0, 0, 0, 0]),
    size,
    Buffer.from([0, 2, 2, 0x4c, 0x01, 0, 0x3b]),
  ]);
}

const BILLION_LAUGHS = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "haha">${'bcdefgh'
  .split('')
  .map((name, index) => `<!ENTITY ${name} "${`&${'abcdefg'[index]};`.repeat(10)}">`)
  .join('')}]><svg xmlns="http://www.w3.org/2000/svg"><text>&h;</text></svg>`;

describe('malformed and hostile images', () => {
  let app: ServedApp;
  before(async () => {
    app = await serveApp();
  });
  after(() => app.close());

  const statusOf = async (bytes: Uint8Array, name?: string) => {
    const response = await upload(app.url, bytes, name === undefined ? {} : { name });
    const text = await response.text();
    const { error } = JSON.parse(text) as { error?: string };
    assert.equal(error === undefined, response.status === 200, text);
    return { status: response.status, error: error ?? '' };
  };

  it('calls what is no image by its name, whatever its file name says', async () => {
    const expectations: readonly (readonly [string | Uint8Array, RegExp])[] = [
      ['just a text', /found a text file\.$/],
      ['<svg xmlns="http://www.w3.org/2000/svg" width="100000" height="100000"/>', /found an SVG drawing\.$/],
      [BILLION_LAUGHS, /found an SVG drawing\.$/],
      ['%PDF-1.7\n', /found a PDF document\.$/],
      ['PK\x03\x04....', /found a zip archive\.$/],
      ['BM......', /found a BMP image\.$/],
      ['II*\0........', /found a TIFF image\.$/],
      ['\0\0\0\x18ftypheic....', /found a HEIC photo\. Share or export the photo as JPEG\.$/],
      ['\0\0\0\x18ftypisom....', /found a video or audio file\.$/],
      [Uint8Array.of(0, 1, 2, 3), /found a file of another kind\.$/],
    ];
    for (const [content, sentence] of expectations) {
      const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
      const { status, error } = await statusOf(bytes, 'seven.png');
      assert.equal(status, 415);
      assert.match(error, /^Expected a PNG, JPEG, WebP, GIF or AVIF image, /);
      assert.match(error, sentence);
    }
  });

  it('refuses an empty file and signatures with nothing, or other things, behind them', async () => {
    assert.deepEqual(await statusOf(new Uint8Array(0)), { status: 422, error: 'The file is empty.' });
    for (const signature of [
      '\x89PNG\r\n\x1a\n',
      '\xff\xd8\xff',
      'GIF89a',
      'RIFF\0\0\0\0WEBP',
      '\0\0\0\x18ftypavif',
    ]) {
      for (const behind of ['', '<svg xmlns="http://www.w3.org/2000/svg"/>', '\0'.repeat(1000)]) {
        const { status, error } = await statusOf(Buffer.from(signature + behind, 'latin1'));
        assert.equal(status, 422, signature);
        assert.match(error, /damaged or incomplete/);
      }
    }
  });

  it('refuses truncated images of every kind', async () => {
    const picture = drawDigit(2, { ...MNIST_LIKE, ...ON_PAPER });
    const files = {
      png: await picture.clone().png().toBuffer(),
      jpeg: await picture.clone().jpeg().toBuffer(),
      webp: await picture.clone().webp({ lossless: true }).toBuffer(),
      gif: await picture.clone().gif().toBuffer(),
      avif: await picture.clone().avif({ effort: 0 }).toBuffer(),
    };
    for (const [kind, bytes] of Object.entries(files)) {
      for (const share of [0.1, 0.5, 0.9]) {
        const { status } = await statusOf(bytes.subarray(0, Math.max(40, Math.floor(bytes.length * share))));
        assert.equal(status, 422, `${kind} cut at ${share}`);
      }
      assert.equal((await statusOf(bytes)).status, 200, `${kind} whole`);
    }
  });

  it('refuses too many pixels by the header, and takes little memory for it', async () => {
    const bomb = await blackPng(20_000, 20_000);
    assert.ok(bomb.length < MEGABYTE);
    const before = process.memoryUsage().rss;
    for (const bytes of [bomb, await blackPng(40_000_001, 1), await blackPng(65_536, 1), hugeGif(65_535)]) {
      const { status, error } = await statusOf(bytes);
      assert.equal(status, 413, error);
      assert.match(error, /has \d+ × \d+ pixels; at most 40 million are accepted/);
    }
    const grown = (process.memoryUsage().rss - before) / MEGABYTE;
    assert.ok(grown < 100, `grew by ${grown.toFixed(0)} MiB`);
  });

  it('refuses a column of 40,000,000 pixels by the header, sixty-four at once', async () => {
    const column = await blackPng(1, 40_000_000);
    assert.ok(column.length < 100_000);
    const answers = await Promise.all(Array.from({ length: 64 }, () => statusOf(column)));
    for (const { status, error } of answers) {
      assert.equal(status, 413);
      assert.equal(
        error,
        'The image has 1 × 40000000 pixels; at most 40 million are accepted, 65535 a side.',
      );
    }
    assert.equal((await statusOf(await blackPng(1, 65_535))).status, 200);
  });

  it('reads large pictures within the limit, several at once, in bounded memory, and small ones before', async () => {
    const large = await blackPng(6_300, 6_300);
    const before = process.memoryUsage().rss;
    const order: string[] = [];
    const ask = async (what: string, bytes: Uint8Array) => {
      const { status } = await statusOf(bytes);
      order.push(what);
      return status;
    };
    const asked = Array.from({ length: 8 }, () => ask('large', large));
    asked.push(ask('small', await digitPng(3)));
    assert.deepEqual(await Promise.all(asked), new Array(9).fill(200));
    assert.ok(order.indexOf('small') < 4, order.join(' '));
    const grown = (process.memoryUsage().rss - before) / MEGABYTE;
    assert.ok(grown < 1_000, `grew by ${grown.toFixed(0)} MiB`);
  });

  it('survives a text chunk that inflates to 200 MB', async () => {
    const text = Buffer.concat([
      Buffer.from('Comment\0\0', 'latin1'),
      await deflated(Buffer.alloc(200 * MEGABYTE)),
    ]);
    const before = process.memoryUsage().rss;
    const { status } = await statusOf(await blackPng(28, 28, pngChunk('zTXt', text)));
    assert.ok(status === 200 || status === 422, String(status));
    const grown = (process.memoryUsage().rss - before) / MEGABYTE;
    assert.ok(grown < 100, `grew by ${grown.toFixed(0)} MiB`);
  });

  it('answers 300 randomly damaged images without a fault of its own', async () => {
    const random = randomStream(1, 'damage');
    const picture = drawDigit(5, { ...MNIST_LIKE, ...ON_PAPER });
    const files = await Promise.all([
      picture.clone().png().toBuffer(),
      picture.clone().jpeg().toBuffer(),
      picture.clone().webp().toBuffer(),
      picture.clone().gif().toBuffer(),
      picture.clone().avif({ effort: 0 }).toBuffer(),
    ]);
    const statuses = new Map<number, number>();
    for (let batch = 0; batch < 20; batch++) {
      await Promise.all(
        Array.from({ length: 15 }, async (_, index) => {
          const bytes = Buffer.from(files[index % files.length] as Buffer);
          const hits = random.integer(1, 8);
          for (let hit = 0; hit < hits; hit++)
            bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
          const { status } = await statusOf(bytes.subarray(0, random.integer(1, bytes.length)));
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }),
      );
    }
    assert.ok(
      [...statuses.keys()].every((status) => [200, 413, 415, 422].includes(status)),
      [...statuses].join('; '),
    );
    assert.equal((await statusOf(await digitPng(3))).status, 200, 'and goes on');
  });
});
