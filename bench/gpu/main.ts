/** `scripts/check-gpu.sh`: what it carries, what runs on the machine with the card, and what becomes of the results. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { numberOption } from '../../lib/cli/options.js';
import { packageVersion } from '../../lib/cli/version.js';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { describeMachine } from '../report.js';
import { carry } from './carry.js';
import { FULL, runChecks, TINY } from './checks.js';
import { formatResults, MACHINE, nameOf, type Results, type Row, resultsSchema, withCard } from './report.js';

const DOCUMENT = 'docs/GPU.md';

const gpu = new Command('check-gpu').description('check fedbatch on a machine with a card');

gpu
  .command('carry')
  .description('add to an installed package what the checks need beside it')
  .argument('<package>', 'folder of the installed package')
  .action(carry);

interface RunFlags {
  readonly out: string;
  readonly data: string;
  readonly loader: string;
  readonly commit: string;
  readonly minutes: number;
  readonly tiny?: boolean;
  readonly only?: string;
}

gpu
  .command('run')
  .description('run the checks; writes results.json and results.md')
  .requiredOption('--out <folder>', 'where the results go')
  .requiredOption('--data <npz>', 'digits for the whole job')
  .requiredOption('--loader <folder>', "Vulkan's loader, for machines that have none")
  .requiredOption('--commit <hash>', 'what is checked')
  .option('--minutes <n>', 'all checks end within so long', numberOption({ above: 0 }), 7.5)
  .option('--tiny', 'sizes for a driver in software')
  .option(
    '--only <pattern>',
    'the checks of these names alone, as the results name them (a regular expression)',
  )
  .action(async ({ out, data, loader, commit, minutes, tiny = false, only }: RunFlags) => {
    const facts = {
      ...{ date: new Date().toISOString(), fedbatch: `${packageVersion()} (${commit})` },
      ...{ machine: describeMachine(), tiny },
      ...(only === undefined ? {} : { only }),
    };
    const rows: Row[] = [];
    await mkdir(out, { recursive: true });
    await runChecks({
      sizes: tiny ? TINY : FULL,
      places: { data: resolve(data), loader: resolve(loader), scratch: resolve(out, 'scratch') },
      deadlineMs: performance.now() + minutes * 60_000,
      only: only === undefined ? undefined : new RegExp(only),
      tell: async (row) => {
        rows.push(row);
        console.log(lineOf(row));
        // After each row: whatever ends the machine, what was seen is kept.
        const results: Results = { ...facts, card: cardOf(rows), rows };
        await writeFileAtomic(join(out, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`);
        await writeFileAtomic(join(out, 'results.md'), `${formatResults(results)}\n`);
      },
    });
    console.log(
      `\n${await readFile(join(out, 'results.md'), 'utf8')}\nWritten: ${out}/results.json, results.md`,
    );
  });

gpu
  .command('write')
  .description(`put the results of a card into ${DOCUMENT}`)
  .argument('<results>', 'results.json from the machine with the card')
  .action(async (file: string) => {
    const results = resultsSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    await writeFile(DOCUMENT, withCard(await readFile(DOCUMENT, 'utf8'), results));
    console.log(`${DOCUMENT} has the figures of ${results.card}.`);
  });

await gpu.parseAsync();

function lineOf(row: Row): string {
  const outcome = row.status === 'ran' ? `ran: ${row.shown}` : `${row.status}: ${row.reason}`;
  return `${nameOf(row)}: ${outcome} (${row.seconds.toFixed(1)} s)`;
}

/** Its own name, else what Vulkan calls it. */
function cardOf(rows: readonly Row[]): string | null {
  for (const [what, key] of [
    ['NVIDIA card', 'name'],
    ['Vulkan', 'card'],
  ] as const) {
    const row = rows.find((each) => each.side === MACHINE && each.what === what);
    if (row?.status === 'ran') return String(row.figures[key]);
  }
  return null;
}
