/** Data in other formats than ours: what a file or folder is, and the line that makes an npz of it. */
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { imageOfFlat } from './input-array.js';
import { csvLine, folderLine, npzOf, pythonLine, shellWord } from './mending-lines.js';

/** What was found instead of an npz, and the line that makes one of it. */
interface ForeignData {
  readonly found: string;
  readonly mend?: string | undefined;
  /** The packages of Python that the line imports where that is more than numpy, as pip calls them. */
  readonly mendNeeds?: string;
}

interface Format {
  /** The characters (bytes) that open a file, one of these. */
  readonly magic: readonly string[];
  readonly name: string;
  readonly line?: (file: string, head: Buffer) => string | undefined;
  /** The packages of Python that the line imports where that is more than numpy, as pip calls them. */
  readonly needs?: string;
}

const FORMATS: readonly Format[] = [
  { magic: ['\x93NUMPY'], name: 'a single npy array', line: npyLine },
  { magic: ['\x1f\x8b'], name: 'a gzip file', line: (file) => `gunzip --keep ${shellWord(file)}` },
  { magic: ['\0\0\x08\x03'], name: 'images in the IDX format of MNIST', line: idxLine },
  { magic: ['\0\0\x08\x01'], name: 'labels in the IDX format of MNIST: give the file of the images' },
  {
    magic: ['\x89HDF'],
    name: 'an HDF5 file',
    needs: 'numpy h5py',
    line: convertLine('import h5py', 'f = h5py.File(sys.argv[1])', '{k: f[k][()] for k in f}'),
  },
  {
    magic: ['MATLAB 5'],
    name: 'a MATLAB file',
    needs: 'numpy scipy',
    line: convertLine(
      'from scipy.io import loadmat',
      'd = loadmat(sys.argv[1])',
      '{k: d[k] for k in d if k[0] != "_"}',
    ),
  },
  {
    magic: ['PAR1'],
    name: 'a Parquet file',
    needs: 'pandas pyarrow',
    line: (file) =>
      pythonLine({
        imports: 'import sys, pandas',
        statements: ['pandas.read_parquet(sys.argv[1]).to_csv(sys.argv[2], index=False)'],
        files: [file, npzOf(file, '.csv')],
      }),
  },
  {
    magic: ['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'],
    name: 'a Python pickle (never read because that could run code)',
    line: convertLine(
      'import pickle',
      'd = pickle.load(open(sys.argv[1], "rb"), encoding="latin1")',
      '{f"{k}": np.array(v) for k, v in (d.items() if isinstance(d, dict) else zip("xy", d))}',
    ),
  },
  { magic: ['\x89PNG', '\xff\xd8\xff', 'GIF8', 'BM'], name: 'a picture' },
];

/** So much of a file tells what it is. */
const HEAD_BYTES = 65_536;

/** What `bytes`, which are no zip, are; undefined where nothing is known of them. */
export function foreignFile(bytes: Uint8Array, file: string): ForeignData | undefined {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES));
  const text = head.toString('latin1');
  const format = FORMATS.find(({ magic }) => magic.some((start) => text.startsWith(start)));
  if (format !== undefined) {
    const { name, line, needs } = format;
    return { found: name, mend: line?.(file, head), ...(needs === undefined ? {} : { mendNeeds: needs }) };
  }
  return foreignTable(text, file);
}

/** An npz of the dictionary of arrays that `arrays` makes. */
function convertLine(library: string, open: string, arrays: string) {
  return (file: string) =>
    pythonLine({
      imports: `import sys, numpy as np; ${library}`,
      statements: [open, `np.savez_compressed(sys.argv[2], **${arrays})`],
      files: [file, npzOf(file)],
    });
}

function npyLine(file: string): string {
  return pythonLine({
    statements: ['np.savez_compressed(sys.argv[3], x=np.load(sys.argv[1]), y=np.load(sys.argv[2]))'],
    files: [file, 'labels.npy', npzOf(file)],
  });
}

/** Yann LeCun's format: a magic number, the extents as big-endian integers, the bytes. */
function idxLine(file: string, head: Buffer): string | undefined {
  const labels = file.replace(/images([-.])idx3/, 'labels$1idx1');
  if (labels === file || head.length < 16) return undefined;
  const read = (argument: number, offset: number) =>
    `np.frombuffer(open(sys.argv[${argument}], "rb").read(), "uint8", offset=${offset})`;
  const image = `${head.readUInt32BE(8)}, ${head.readUInt32BE(12)}`;
  return pythonLine({
    statements: [`np.savez_compressed(sys.argv[3], x=${read(1, 16)}.reshape(-1, ${image}), y=${read(2, 8)})`],
    files: [file, labels, npzOf(file)],
  });
}

/** What stands between the cells of a table, and what such a file is called. */
const SEPARATORS: readonly (readonly [string, string])[] = [
  [',', 'a CSV file'],
  [';', 'a CSV file with semicolons'],
  ['\t', 'a table with tabs'],
];

/** Text whose first two lines have the same number of separators. */
function foreignTable(text: string, file: string): ForeignData | undefined {
  for (const [separator, found] of SEPARATORS) {
    const line = tableLine(text, { file, separator });
    if (line !== undefined) return { found, mend: line };
  }
  return undefined;
}

function tableLine(
  text: string,
  { file, separator }: { readonly file: string; readonly separator: string },
): string | undefined {
  const [names = [], values = []] = text.split(/\r?\n/, 2).map((line) => line.split(separator));
  if (names.length < 2 || values.length !== names.length || /[<{[]/.test(names[0] ?? '')) return undefined;
  const isText = (cell = '') => Number.isNaN(Number(cell));
  const header = names.every(isText) || names.some((name, at) => isText(name) && !isText(values[at]));
  const named = header ? names.findIndex((name) => /^\W*(label|class|target|species|y)\W*$/i.test(name)) : -1;
  const image = imageOfFlat(names.length - 1);
  // MNIST and its like put the label before the pixels; tables of measurements put it last.
  const target = named >= 0 ? named : image === undefined ? names.length - 1 : 0;
  const value = values[target] ?? '';
  const isNumber = !isText(value) && !Number.isInteger(Number(value));
  return csvLine(file, { separator, header, target, image, isNumber });
}

/** Pillow is imported as PIL. */
const PICTURES_NEED = 'numpy pillow';

const PICTURES = ['.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp'];

/** What a directory is, where it holds pictures: some in a folder for each class, or all in one. */
export async function foreignDirectory(directory: string): Promise<ForeignData | undefined> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const pictureIn = (names: readonly string[]) =>
    names.find((name) => PICTURES.includes(extname(name).toLowerCase()));
  const own = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const picture = pictureIn(own);
  if (picture !== undefined) {
    const labels = new Set(own.map((name) => /^([^_-]+)[_-]/.exec(name)?.[1]));
    const mend = labels.size > 1 ? folderLine(directory, `*${extname(picture)}`, FIRST_WORD) : undefined;
    return { found: 'pictures, not in a folder for each class', mend, mendNeeds: PICTURES_NEED };
  }
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    const inside = pictureIn(await readdir(join(directory, name)).catch(() => []));
    if (inside === undefined) continue;
    return {
      found: 'folders of pictures',
      mend: folderLine(directory, `*/*${extname(inside)}`, 'p.parent.name'),
      mendNeeds: PICTURES_NEED,
    };
  }
  return undefined;
}

/** The label of `4_0017.png` and `4-0017.png`. */
const FIRST_WORD = 'p.name.replace("-", "_").split("_")[0]';
