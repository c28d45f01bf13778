/** Readers that err in every way there is: a campaign that finds nothing in these finds nothing elsewhere. */
import { DataError } from '../../../lib/core/errors.js';
import { wordsOf } from '../reshape.js';
import type { MakeTarget } from '../target.js';

const refused = (expected: string) => new DataError({ file: 'input', expected, found: 'something else' });

/** Errs behind two steps, which are found by the code that runs there: no input of the campaign is near both. */
export const stepwise: MakeTarget = async () => ({
  seeds: [Buffer.from('A...')],
  words: wordsOf(...'ABCDEFGH'),
  async read([first, second, third]) {
    if (first !== 0x41) throw refused('A');
    if (second !== 0x42) throw refused('A and B');
    if (third !== 0x43) throw refused('A, B and C');
    (undefined as unknown as Buffer).readUInt8(0);
  },
});

/** What stays in memory. */
const kept: Buffer[] = [];

/** Errs in the way that its first byte names. */
export const flawed: MakeTarget = async () => ({
  seeds: [Buffer.from('-')],
  async read(bytes) {
    switch (String.fromCharCode(bytes[0] ?? 0)) {
      case 'H':
        for (;;);
      case 'M':
        kept.push(Buffer.alloc(600_000_000, 1));
        return;
      case 'K':
        process.kill(process.pid, 'SIGKILL');
        for (;;);
      case 'W':
        throw new DataError({ file: 'x', expected: 'x', found: 'x' }, { cause: new TypeError('of our own') });
      case 'R':
        throw new RangeError('of our own');
      default:
        throw refused('a kind of failure');
    }
  },
});
