/** Forms with pictures, fields and tables. */
import { changedInPlace, type Reshape } from '../mutate.js';
import { jsonValues, oneOf, pngChunks, wordsOf } from '../reshape.js';
import type { MakeTarget } from '../target.js';
import { PICTURE_WORDS, pictureSeeds } from './pictures.js';
import { INSTANCE, OF_A_TABLE, OF_PICTURES, requestOf, serving } from './serving.js';

const BOUNDARY = '--boundary';
const part = (name: string, content: Uint8Array | string, facts = '') =>
  Buffer.concat([
    Buffer.from(`${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${facts}\r\n\r\n`),
    Buffer.from(content as Uint8Array),
    Buffer.from('\r\n'),
  ]);
const form = (path: string, ...parts: readonly Uint8Array[]) =>
  requestOf(
    `POST ${path}`,
    [`Content-Type: multipart/form-data; boundary=${BOUNDARY.slice(2)}`, 'Accept: application/json'],
    Buffer.concat([...parts, Buffer.from(`${BOUNDARY}--\r\n`)]),
  );
const FILE = '; filename="x.png"\r\nContent-Type: image/png';

/** A part of a form changed within: its headers, or what they are of. */
const parts: Reshape = (bytes, ingredients) => {
  const all = bytes.toString('latin1').split(`${BOUNDARY}\r\n`);
  if (all.length < 2) return undefined;
  const at = ingredients.random.integer(1, all.length - 1);
  const own = all[at] as string;
  const from = own.indexOf('\r\n\r\n') + 4;
  const to = own.lastIndexOf('\r\n', own.length - (at === all.length - 1 ? BOUNDARY.length + 5 : 0));
  const content = Buffer.from(own.slice(from, to), 'latin1');
  const made = oneOf(pngChunks, jsonValues, changedInPlace)(content, ingredients) ?? content;
  all[at] = own.slice(0, from) + Buffer.from(made).toString('latin1') + own.slice(to);
  return Buffer.from(all.join(`${BOUNDARY}\r\n`), 'latin1');
};

/** Forms: pictures, fields, tables. */
export const upload: MakeTarget = async () => {
  const pictures = await pictureSeeds();
  const [table, picture] = await Promise.all([serving(OF_A_TABLE), serving(OF_PICTURES)]);
  return {
    seeds: [
      ...pictures.slice(0, 7).map((bytes) => form('/upload', part('file', bytes, FILE))),
      form('/upload?explain', part('file', pictures[0] as Uint8Array, FILE)),
      form('/predict', part('input.size', '1'), part('input.size', '2'), part('input.soil', 'clay')),
      form(
        '/predict',
        part('file', 'width,height,soil,id\n1,2,clay,7\n3,,loam,8\n', FILE),
        part('format', 'csv'),
      ),
      form('/predict', part('file', JSON.stringify({ instances: [INSTANCE] }), FILE)),
    ],
    words: [
      ...PICTURE_WORDS,
      ...wordsOf(
        BOUNDARY,
        '\r\n',
        '\r\n\r\n',
        'Content-Disposition: form-data; name="',
        '; filename="',
        "; filename*=UTF-8''%ff",
      ),
      ...wordsOf(
        'Content-Transfer-Encoding: base64\r\n',
        'input.',
        'input.size',
        '[]',
        '__proto__',
        'charset=utf-7',
        '--',
      ),
    ],
    reshape: parts,
    async read(bytes) {
      // Each page has a model of its own kind.
      await (/^POST \/upload/.test(Buffer.from(bytes.subarray(0, 12)).toString('latin1'))
        ? picture
        : table
      ).read(bytes);
    },
    async close() {
      await Promise.all([table.close?.(), picture.close?.()]);
    },
  };
};
