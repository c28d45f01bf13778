/** A stage that behaves as its first argument says, for tests of how the pipeline takes that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { runProgram } from '../../lib/cli/program.js';
import { DataError } from '../../lib/core/errors.js';

const never = () => sleep(60_000);

await runProgram(
  ({ reporter, signal }) =>
    new Command('stage').argument('<behaviour>').action(async (behaviour: string) => {
      const progress = { stage: 'train', client: 99, total: 20, unit: 'examples' } as const;
      process.stdout.write(`${process.pid}\n`);
      switch (behaviour) {
        case 'succeed':
          reporter.info('said to machines only');
          reporter.progress({ ...progress, done: 10, epoch: 1, epochs: 2 });
          reporter.warn('look out');
          reporter.progress({ ...progress, done: 20, epoch: 2, epochs: 2 });
          process.stdout.write('{"answer":42}\n');
          return;
        case 'refuse':
          throw new DataError({ file: '7.npz', expected: 'a shard', found: 'a stone' });
        case 'break':
          throw new TypeError('undefined is no function');
        case 'crash':
          process.stderr.write('Segmentation fault, or so\n');
          process.abort();
          break;
        case 'vanish':
          process.kill(process.pid, 'SIGKILL');
          await never();
          break;
        case 'wait':
          await sleep(60_000, undefined, { signal });
          break;
        case 'linger':
          await never();
          break;
        case 'stall':
          // Deaf: signals are not even looked at.
          for (;;);
        default:
          throw new Error(`no behaviour ${behaviour}`);
      }
    }),
  process.argv.slice(2),
);
