/**
 * Feeds the house's readers with hostile inputs, guided by what code they run.
 *
 *   npm run test:fuzz -- --inputs 10000 --seed 1                     all targets together
 *   npm run test:fuzz -- --target npz,h5 --for 5m --journal FILE     as long as there is time; the same command goes on
 *   npm run test:fuzz -- --target npz --input FILE                   one input, in a process of its own
 *   npm run test:fuzz -- --journal FILE --inputs 0 --keep            the project's corpus from what a campaign kept
 *
 * Ends with 1 where an input failed; it lies in the folder of --failures then, as test/fuzz/regressions takes it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type CampaignResult, minimised, runCampaign, tryAlone } from './campaign.js';
import { writeCorpus } from './corpus.js';
import { TARGETS } from './targets/registry.js';

/** Of one target in the project; all of them are below 300 kB. */
const MOST_CORPUS_BYTES = 20_000;
/** What an archive says of an entry. */
const ENTRY_BYTES = 100;
/** Longer inputs stay in the journal. */
const MOST_INPUT_BYTES = 4_096;
const SECONDS = { s: 1, m: 60, h: 3_600 } as const;

const program = new Command('npm run test:fuzz --')
  .option('--target <names>', `some of ${Object.keys(TARGETS).join(', ')}`, Object.keys(TARGETS).join(','))
  .option('--inputs <n>', 'inputs for all targets together, those of the journal among them', '10000')
  .option('--seed <n>', 'what they are drawn from', '1')
  .option('--for <time>', 'at most so long, such as 90s, 5m, 2h')
  .option('--journal <file>', 'remembers what was done, so that the same command goes on')
  .option('--failures <folder>', 'where inputs that failed are left', 'fuzz-failures')
  .option('--input <file>', 'reads this alone')
  .option('--keep', 'replaces the corpus of the project by the fewest inputs that run the same code')
  .parse();
const options = program.opts<{
  readonly target: string;
  readonly inputs: string;
  readonly seed: string;
  readonly for?: string;
  readonly journal?: string;
  readonly failures: string;
  readonly input?: string;
  readonly keep?: boolean;
}>();

const targets = options.target.split(',');
for (const target of targets)
  if (!Object.hasOwn(TARGETS, target))
    program.error(`--target ${target}: there are ${Object.keys(TARGETS).join(', ')}.`);
const inputs = wholeNumber('--inputs', options.inputs);
const seed = wholeNumber('--seed', options.seed);
const untilMs =
  options.for === undefined ? Number.POSITIVE_INFINITY : performance.now() + durationMs(options.for);

if (options.input === undefined) await fuzz();
else await readAlone(targets[0] as string, options.input);

async function readAlone(target: string, file: string): Promise<void> {
  const failure = await tryAlone(target, readFileSync(file));
  console.log(
    failure === undefined ? `${file}: a value or a typed error` : `${failure.what}\n${failure.detail}`,
  );
  if (failure !== undefined) process.exitCode = 1;
}

async function fuzz(): Promise<void> {
  const shares = targets.reduce((sum, target) => sum + shareOf(target), 0);
  const results: CampaignResult[] = [];
  for (const [at, target] of targets.entries()) {
    // What is left of the time is for those that are left.
    const left = targets.slice(at).reduce((sum, each) => sum + shareOf(each), 0);
    const nowMs = performance.now();
    const result = await runCampaign({
      ...{ target, seed, journal: options.journal, tell: console.error },
      inputs: Math.ceil((inputs * shareOf(target)) / shares),
      untilMs: nowMs + ((untilMs - nowMs) * shareOf(target)) / left,
    });
    results.push(result);
    if (options.keep === true) await writeCorpus(target, await keptOf(result));
  }
  console.log(tableOf(results));
  const failed = results.flatMap(({ target, failures }) =>
    failures.map((failure) => ({ target, ...failure })),
  );
  if (failed.length === 0) return;
  mkdirSync(options.failures, { recursive: true });
  for (const { target, what, input } of failed) {
    const file = join(options.failures, `${target}-${what.replace(/[^\w.]+/g, '-').slice(0, 60)}`);
    writeFileSync(file, input);
    console.log(`${target}: ${what}: ${file}`);
  }
  process.exitCode = 1;
}

/** As many of the fewest inputs as there is room for, the short ones first. */
async function keptOf({ target, corpus }: CampaignResult): Promise<readonly Uint8Array[]> {
  const least = await minimised(target, corpus, MOST_INPUT_BYTES);
  const kept: Uint8Array[] = [];
  let bytes = 0;
  for (const input of [...least].sort((a, b) => a.length - b.length)) {
    bytes += input.length + ENTRY_BYTES;
    if (bytes <= MOST_CORPUS_BYTES) kept.push(input);
  }
  return kept;
}

function shareOf(target: string): number {
  return TARGETS[target]?.share ?? 1;
}

function tableOf(results: readonly CampaignResult[]): string {
  const rows = results.map(({ target, inputs, outcomes, corpus, failures, most }) => [
    target,
    inputs,
    shareOfValues(outcomes),
    corpus.length,
    Math.round(most.cpuMs),
    Math.round(most.addedBytes / 2 ** 20),
    failures.length,
  ]);
  const sum = (at: number) => rows.reduce((total, row) => total + (row[at] as number), 0);
  return [
    '| target | inputs | taken as a value | kept | slowest (CPU ms) | most memory (MiB) | failures |',
    '|---|---|---|---|---|---|---|',
    ...[...rows, ['all', sum(1), '', sum(3), '', '', sum(6)]].map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

function shareOfValues(outcomes: CampaignResult['outcomes']): string {
  const all = Object.values(outcomes).reduce((total, count) => total + count, 0);
  return `${Math.round((100 * (outcomes.value ?? 0)) / Math.max(1, all))} %`;
}

function wholeNumber(flag: string, text: string): number {
  if (!/^\d+$/.test(text)) program.error(`${flag} ${text}: expected a whole number.`);
  return Number(text);
}

function durationMs(text: string): number {
  const [, count, unit] = /^(\d+)([smh])$/.exec(text) ?? [];
  if (count === undefined) program.error(`--for ${text}: expected a time such as 90s, 5m or 2h.`);
  return Number(count) * SECONDS[unit as keyof typeof SECONDS] * 1000;
}
