/** `npm run bench`: measures, prints, and writes the tables into docs/BENCHMARKS.md. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { integerOption, numberOption } from '../lib/cli/options.js';
import { sha256OfFile } from '../lib/formats/files/read-file.js';
import { benchAttack } from './attack-section.js';
import { benchData } from './data-section.js';
import { benchGroups } from './groups-section.js';
import { benchHaul } from './haul-section.js';
import { benchJob } from './job-section.js';
import { openJournal, PausedError } from './journal.js';
import { benchMemory } from './memory-section.js';
import { SkippedError } from './peers.js';
import { benchPrograms } from './programs-section.js';
import { describeMachine, formatMarkdown, replaceSection } from './report.js';
import type { Section } from './section.js';
import { benchServe } from './serve-section.js';
import { benchSimulate, benchSimulateMany } from './simulate-section.js';
import { benchSoak } from './soak-section.js';
import { STEP_MODELS, type StepModelName } from './step-models.js';
import { stepSection } from './step-section.js';
import { benchDigits, benchUploads } from './uploads-section.js';
import { benchWatching } from './watching-section.js';

const REPORT = 'docs/BENCHMARKS.md';
const RELIABILITY = 'docs/RELIABILITY.md';

interface SectionPlan {
  readonly measure: Section;
  /** Rounds where `--rounds` says nothing: a whole job takes minutes, and its ratios scatter less. */
  readonly rounds: number;
  readonly needsData: boolean;
  /** The document that holds its table, where that is another one. */
  readonly report?: string;
}

/** Of each model that steps are measured of. */
const STEPS = Object.fromEntries(
  (Object.keys(STEP_MODELS) as StepModelName[]).map((model): [string, SectionPlan] => [
    `step-${model}`,
    { measure: stepSection(model), rounds: 5, needsData: false },
  ]),
);

const SECTIONS: Readonly<Record<string, SectionPlan>> = {
  ...STEPS,
  programs: { measure: benchPrograms, rounds: 5, needsData: true },
  memory: { measure: benchMemory, rounds: 1, needsData: false },
  simulate: { measure: benchSimulate, rounds: 3, needsData: true },
  'simulate-many': { measure: benchSimulateMany, rounds: 3, needsData: true },
  groups: { measure: benchGroups, rounds: 3, needsData: false },
  job: { measure: benchJob, rounds: 3, needsData: true },
  serve: { measure: benchServe, rounds: 3, needsData: false },
  soak: { measure: benchSoak, rounds: 1, needsData: false },
  haul: { measure: benchHaul, rounds: 1, needsData: false, report: RELIABILITY },
  attack: { measure: benchAttack, rounds: 1, needsData: false, report: RELIABILITY },
  digits: { measure: benchDigits, rounds: 1, needsData: true },
  uploads: { measure: benchUploads, rounds: 1, needsData: true },
  data: { measure: benchData, rounds: 1, needsData: false },
  watching: { measure: benchWatching, rounds: 5, needsData: false },
};

interface Flags {
  readonly data: string;
  readonly rounds?: number;
  readonly minutes?: number;
  readonly megabytes: number;
  readonly federatedRounds: number;
  readonly baseline?: string;
  readonly only?: string;
  readonly write: boolean;
}

const flags = new Command('bench')
  .description(`measure and write the tables of ${REPORT}; run again, it resumes where it was interrupted`)
  .argument(
    '[sections...]',
    `which: ${Object.keys(SECTIONS).join(', ')}; step for all of the steps (default: all)`,
  )
  .option('--data <npz>', 'MNIST as npz', '../shared/datasets/mnist.npz')
  .option(
    '--rounds <n>',
    'how often each side runs, in turn (default: 5; of the job and of simulations 3)',
    integerOption({ min: 1 }),
  )
  .option(
    '--minutes <n>',
    'begin no measurement after so long; what is done stays, and the same command goes on',
    numberOption({ above: 0 }),
  )
  .option('--megabytes <n>', 'size of each file of the section data', numberOption({ above: 0 }), 1000)
  .option('--federated-rounds <n>', 'rounds of the section haul', integerOption({ min: 4 }), 500)
  .option('--baseline <dist>', 'compare programs with this build of another commit: its folder dist')
  .option(
    '--only <words>',
    'of the sections programs and attack the rows whose names contain this; writes nothing',
  )
  .option('--no-write', `print the tables and leave ${REPORT} as it is`)
  .parse();
const {
  data,
  rounds: wantedRounds,
  minutes,
  megabytes,
  federatedRounds,
  baseline,
  only,
  write,
} = flags.opts<Flags>();
const until = minutes === undefined ? undefined : performance.now() + minutes * 60_000;

const asked = flags.args.flatMap((name) => (name === 'step' ? Object.keys(STEPS) : name));

for (const name of asked.length > 0 ? asked : Object.keys(SECTIONS)) {
  const section = SECTIONS[name];
  if (section === undefined) throw new Error(`no section ${name}`);
  const rounds = wantedRounds ?? section.rounds;
  console.log(`\n## ${name}\n`);
  try {
    if (section.needsData && !existsSync(data)) throw new SkippedError(`no ${data} (see --data)`);
    const journal = await openJournal(join('.cache', `bench-${name}.json`), {
      identity: await identityOf(section),
      ...(until === undefined ? {} : { until }),
    });
    const table = await section.measure({
      data,
      rounds,
      journal,
      megabytes,
      federatedRounds,
      ...(baseline === undefined ? {} : { baseline: resolve(baseline) }),
      ...(only === undefined ? {} : { only }),
    });
    const markdown = `${formatMarkdown(table)}\n\n${machine(rounds)}`;
    console.log(markdown);
    const { report = REPORT } = section;
    if (write && only === undefined)
      await writeFile(report, replaceSection(await readFile(report, 'utf8'), name, markdown));
    await journal.clear();
  } catch (error) {
    if (error instanceof PausedError) {
      console.log(`paused: ${error.message}; the same command resumes from here`);
      break;
    }
    if (!(error instanceof SkippedError)) throw error;
    console.log(`skipped: ${error.message}`);
  }
}

/** What a measurement depends on, beside its own name: those of an interrupted run count only for the same. */
async function identityOf({ needsData }: SectionPlan): Promise<string> {
  const git = await execa('git', ['describe', '--always', '--dirty'], { reject: false });
  return JSON.stringify({
    commit: git.stdout,
    data: needsData ? await sha256OfFile(data, 'the dataset') : undefined,
    node: process.version,
    cores: cpus().length,
    megabytes,
    federatedRounds,
    baseline,
  });
}

function machine(rounds: number): string {
  const date = new Date().toISOString().slice(0, 10);
  const turns = rounds === 1 ? 'one round' : `medians of ${rounds} interleaved rounds`;
  return `*${date}, ${describeMachine()}; ${turns}.*`;
}
