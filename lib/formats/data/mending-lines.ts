/** The lines that mend data which are refused: Python with numpy, ready to be pasted into a shell. */
import { basename } from 'node:path';

/** The arrays of a file by what they hold: `x`, `x_train`, `x_test` are images, `y…` are labels. */
type ArrayKind = 'x' | 'y';

/** Whether an array of this name holds images or labels; undefined for other names. */
function kindOfArray(name: string): ArrayKind | undefined {
  const [, kind] = /^([xy])(_train|_test)?$/.exec(name) ?? [];
  return kind as ArrayKind | undefined;
}

/** Other data have no arrays that a line could change. */
const isNpz = (file: string): boolean => file.endsWith('.npz');

/**
 * Writes the npz `file` anew with some arrays changed; undefined for other files.
 *
 * @param statements Python, without quotes of the kind ' in it; the dictionary `d` holds the arrays
 */
export function npzLine(file: string, ...statements: readonly string[]): string | undefined {
  if (!isNpz(file)) return undefined;
  return pythonLine({
    statements: ['d = dict(np.load(sys.argv[1]))', ...statements, SAVE],
    files: [file, mendedName(file)],
  });
}

/** The same, of a file of pickled objects: numpy runs what such a file says. */
function pickleLine(file: string): string {
  return pythonLine({
    statements: [
      'd = dict(np.load(sys.argv[1], allow_pickle=True))',
      'd.update({k: np.array(v.tolist()) for k, v in d.items() if v.dtype == object})',
      SAVE,
    ],
    files: [file, mendedName(file)],
  });
}

/** Changes every array of a kind: `expression` makes the new array of the old one, `v`. */
export function changeLine(file: string, kind: ArrayKind, expression: string): string | undefined {
  return npzLine(file, changeArrays(kind, expression));
}

/** Calls the arrays as they are to be called, as far as their `names` tell what they hold. */
export function renameLine(file: string, names: readonly string[]): string | undefined {
  // What is called validation stands in where nothing is called a test.
  const isTestName = names.some((name) => TEST.test(name)) ? TEST : VALIDATION;
  const find = (isLabels: boolean, isTest: boolean) =>
    names.find(
      (name) =>
        LABELS.test(name) === isLabels && (isTest ? isTestName : TEST_OR_VALIDATION).test(name) === isTest,
    );
  const pair = (isTest: boolean, end: string) => {
    const [x, y] = [find(false, isTest), find(true, isTest)];
    return x === undefined || y === undefined ? [] : [`x${end}=d[${quote(x)}]`, `y${end}=d[${quote(y)}]`];
  };
  const test = pair(true, '_test');
  const arrays = [...pair(false, test.length > 0 ? '_train' : ''), ...test];
  if (arrays.length === 0 || (test.length > 0 && arrays.length < 4)) return undefined;
  return npzLine(file, `d = dict(${arrays.join(', ')})`);
}

/** Names of labels, as people give them; what numpy calls a second array without a name. */
const LABELS = /label|target|class|^y|_y$|^arr_[13]$/i;
const TEST = /test/i;
const VALIDATION = /val/i;
const TEST_OR_VALIDATION = /test|val/i;

const quote = (name: string) => JSON.stringify(name).replaceAll("'", '\\u0027');

/** Numbers the classes from 0, whatever they are called, and leaves their names in labels.txt, where the server finds them. */
export function numberClassesLine(file: string): string | undefined {
  return npzLine(
    file,
    `n = np.unique(${ALL_LABELS})`,
    changeArrays('y', 'np.searchsorted(n, v.ravel())'),
    'open("labels.txt", "w").write("\\n".join(n.astype(str)))',
  );
}

const ALL_LABELS = 'np.concatenate([v.ravel() for k, v in d.items() if k[0] == "y"])';

/** Numbers the keys of an array, whatever they are. */
export function numberKeysLine(file: string, key: string): string | undefined {
  const array = `d[${quote(key)}]`;
  return npzLine(file, `${array} = np.unique(${array}, return_inverse=True)[1].reshape(-1)`);
}

/** The line that makes numbers of an array of numpy's dtype `descr`, which is no number type, as far as its name tells what it holds. */
export function numbersLine(
  descr: string,
  { file, array }: { readonly file: string; readonly array: string },
): string | undefined {
  const kind = kindOfArray(array);
  const code = descr.startsWith('[') ? 'structured' : descr.charAt(1);
  if (code === 'O') return pickleLine(file);
  if (kind === undefined) return /^[USMm]$/.test(code) ? numberKeysLine(file, array) : undefined;
  if (kind === 'y') return /^[USMm]$/.test(code) ? numberClassesLine(file) : undefined;
  const expressions: Readonly<Record<string, string>> = {
    U: 'v.astype("float32")',
    S: 'v.astype("float32")',
    f: 'v.astype("float64")',
    c: 'abs(v).astype("float32")',
    structured: 'np.stack([v[n] for n in v.dtype.names], axis=-1)',
  };
  const expression = expressions[code];
  return expression && changeLine(file, 'x', expression);
}

/** Pictures as an npz of images of the size of the first one, by the labels of `4_0017.png` and `4-0017.png`. */
export function namedPicturesLine(directory: string, ending: string): string {
  return pythonLine({
    imports: 'import sys, numpy as np; from pathlib import Path; from PIL import Image',
    statements: [
      `f = sorted(Path(sys.argv[1]).glob("*${ending}"))`,
      'n, y = np.unique([p.name.replace("-", "_").split("_")[0] for p in f], return_inverse=True)',
      's = Image.open(f[0])',
      'm = "L" if s.mode in ("1", "L", "I", "I;16", "LA") else "RGB"',
      'x = np.stack([np.asarray(Image.open(p).convert(m).resize(s.size)) for p in f])',
      'np.savez_compressed(sys.argv[2], x=x, y=y)',
      'open("labels.txt", "w").write("\\n".join(n))',
    ],
    files: [directory, `${directory.replace(/\/+$/, '')}.npz`],
  });
}

/** Any Python: `files` are its arguments. */
export function pythonLine({
  imports = 'import sys, numpy as np',
  statements,
  files,
}: {
  readonly imports?: string;
  readonly statements: readonly string[];
  readonly files: readonly string[];
}): string {
  return `python3 -c '${[imports, ...statements].join('; ')}' ${files.map(shellWord).join(' ')}`;
}

const SAVE = 'np.savez_compressed(sys.argv[2], **d)';

function changeArrays(kind: ArrayKind, expression: string): string {
  return `d.update({k: ${expression} for k, v in d.items() if k[0] == "${kind}"})`;
}

/** `data/a.npz` → `data/a-mended.npz`. */
function mendedName(file: string): string {
  return npzOf(file, '-mended.npz');
}

/** The name of what is made of `file`: beside it, with another end. */
export function npzOf(file: string, end = '.npz'): string {
  const name = basename(file);
  const made = `${file.slice(0, file.length - name.length)}${name.replace(/(\.\w{1,7})+$/, '')}${end}`;
  // Nothing that is typed may write over the data that it reads.
  return made === file ? npzOf(file, `-mended${end}`) : made;
}

/** A word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w./+@%:,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
