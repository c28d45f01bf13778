/** Pictures, as a server is sent them and as data of a run. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { decodePictures, pictureHeads } from '../../../lib/formats/sources/pictures/decode.js';
import { decodeImage } from '../../../server/pictures/decode-image.js';
import { pngChunks, wordsOf } from '../reshape.js';
import { type MakeTarget, readAll } from '../target.js';

const SIDE = 12;

/** The same few pixels in every format that is read, in some of its kinds. */
export async function pictureSeeds(): Promise<readonly Uint8Array[]> {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, at) => (at * 37) & 255);
  const colour = sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } });
  const made = (...kinds: readonly ((picture: typeof colour) => typeof colour)[]) =>
    Promise.all(kinds.map((kind) => kind(colour.clone()).toBuffer()));
  return made(
    (picture) => picture.png(),
    (picture) => picture.toColourspace('b-w').png(),
    (picture) => picture.png({ palette: true, colours: 8 }),
    (picture) => picture.png({ progressive: true }).withMetadata({ orientation: 6 }),
    (picture) => picture.ensureAlpha(0.5).png(),
    (picture) => picture.jpeg(),
    (picture) =>
      picture.jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).withMetadata({ orientation: 8 }),
    (picture) => picture.webp(),
    (picture) => picture.webp({ lossless: true }),
    (picture) => picture.gif(),
    (picture) => picture.avif({ effort: 0 }),
  );
}

/** Bytes that mean something in one of the formats. */
export const PICTURE_WORDS = [
  ...wordsOf(
    '\xff\xd8\xff',
    '\xff\xc0',
    '\xff\xc2',
    '\xff\xc4',
    '\xff\xda',
    '\xff\xdb',
    '\xff\xe1',
    '\xff\xd9',
    'Exif\0\0',
  ),
  ...wordsOf(
    'GIF89a',
    '\x21\xf9\x04',
    '\x2c',
    'RIFF',
    'WEBP',
    'VP8 ',
    'VP8L',
    'VP8X',
    'ANIM',
    'ALPH',
    'ICCP',
  ),
  ...wordsOf(
    'ftypavif',
    'meta',
    'iloc',
    'iprp',
    'ipco',
    'ispe',
    'av1C',
    'mdat',
    'pixi',
    'irot',
    'IHDR',
    'PLTE',
    'IDAT',
  ),
];

/** Any picture: its head, as a server decodes it, as a splitter does. */
export const image: MakeTarget = async (directory) => {
  const file = join(directory, 'input.png');
  return {
    seeds: await pictureSeeds(),
    words: PICTURE_WORDS,
    reshape: pngChunks,
    async read(bytes) {
      await writeFile(file, bytes);
      await readAll(
        () => decodeImage(bytes),
        () => pictureHeads([file]),
        () => decodePictures([file], { size: [8, 8], channels: 3 }),
      );
    },
  };
};
