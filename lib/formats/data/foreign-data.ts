/** Data in other formats than ours: what a file or folder is, and the line that makes an npz of it. */
import { readdir } from 'node:fs/promises';
import { extname } from 'node:path';
import { HEAD_BYTES } from '../files/read-file.js';
import { tableSeparator } from '../sources/table/table-text.js';
import { namedPicturesLine, npzOf, pythonLine, shellWord } from './mending-lines.js';

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
  readonly line?: (file: string) => string;
  /** The packages of Python that the line imports where that is more than numpy, as pip calls them. */
  readonly needs?: string;
}

const FORMATS: readonly Format[] = [
  { magic: ['\x93NUMPY'], name: 'a single npy array', line: npyLine },
  { magic: ['\x1f\x8b'], name: 'a gzip file', line: gzipLine },
  { magic: ['\0\0\x08\x03'], name: 'images in the IDX format of MNIST', line: importLine },
  { magic: ['\0\0\x08\x01'], name: 'labels in the IDX format of MNIST', line: importLine },
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
  { magic: ['PAR1'], name: 'a Parquet file', line: importLine },
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

/** What `bytes`, which are no zip, are; undefined where nothing is known of them. */
export function foreignFile(bytes: Uint8Array, file: string): ForeignData | undefined {
  const text = Buffer.from(bytes.subarray(0, HEAD_BYTES)).toString('latin1');
  const format = FORMATS.find(({ magic }) => magic.some((start) => text.startsWith(start)));
  if (format !== undefined) {
    const { name, line, needs } = format;
    return { found: name, mend: line?.(file), ...(needs === undefined ? {} : { mendNeeds: needs }) };
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

/** What `--data` of a run takes as it is, a program that wants an npz gets so. */
function importLine(file: string): string {
  return `npx fedbatch dataset import ${shellWord(file)} --out ${shellWord(npzOf(file))}`;
}

function gzipLine(file: string): string {
  return /idx[13]|\.[ct]sv\.gz$/.test(file) ? importLine(file) : `gunzip --keep ${shellWord(file)}`;
}

/** What a table is called by what stands between its cells. */
const TABLES: Readonly<Record<string, string>> = {
  ',': 'a CSV file',
  ';': 'a CSV file with semicolons',
  '\t': 'a table with tabs',
  '|': 'a table with bars',
};

/** Text whose first two lines have the same number of cells. */
function foreignTable(text: string, file: string): ForeignData | undefined {
  const separator = tableSeparator(text);
  if (separator === undefined) return undefined;
  return { found: TABLES[separator] ?? 'a table', mend: importLine(file) };
}

/** Pillow is imported as PIL. */
const PICTURES_NEED = 'numpy pillow';

const PICTURES = ['.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp'];

/** What a directory is, where it holds pictures without a folder for each class. */
export async function foreignDirectory(directory: string): Promise<ForeignData | undefined> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const own = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const picture = own.find((name) => PICTURES.includes(extname(name).toLowerCase()));
  if (picture === undefined) return undefined;
  const labels = new Set(own.map((name) => /^([^_-]+)[_-]/.exec(name)?.[1]));
  const mend = labels.size > 1 ? namedPicturesLine(directory, extname(picture)) : undefined;
  return { found: 'pictures, not in a folder for each class', mend, mendNeeds: PICTURES_NEED };
}
