/** `npm run bench`: measures, prints, and writes the tables into docs/BENCHMARKS.md. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { arch, cpus, platform, totalmem } from 'node:os';
import { Command } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import { formatBytes } from '../lib/observability/format.js';
import { benchDigits } from './digits.js';
import { SkippedError } from './peers.js';
import { type BenchOptions, benchJob, benchStages, benchStep, type Table } from './sections.js';

const REPORT = 'docs/BENCHMARKS.md';
const SECTIONS: Readonly<Record<string, (options: BenchOptions) => Promise<Table>>> = {
  step: benchStep,
  stages: benchStages,
  job: benchJob,
  digits: benchDigits,
};

const flags = new Command('bench')
  .description(`measure and write the tables of ${REPORT}`)
  .argument('[sections...]', `which: ${Object.keys(SECTIONS).join(', ')} (default: all)`)
  .option('--data <npz>', 'MNIST as npz', '../shared/datasets/mnist.npz')
  .option('--rounds <n>', 'how often each side runs, in turn', integerOption({ min: 1 }), 5)
  .parse();
const { data, rounds } = flags.opts<BenchOptions>();

for (const name of flags.args.length > 0 ? flags.args : Object.keys(SECTIONS)) {
  const section = SECTIONS[name];
  if (section === undefined) throw new Error(`no section ${name}`);
  console.log(`\n## ${name}\n`);
  try {
    if (name !== 'step' && !existsSync(data)) throw new SkippedError(`no ${data} (see --data)`);
    const markdown = `${formatMarkdown(await section({ data, rounds }))}\n\n${machine()}`;
    console.log(markdown);
    await replaceTable(name, markdown);
  } catch (error) {
    if (!(error instanceof SkippedError)) throw error;
    console.log(`skipped: ${error.message}`);
  }
}

function formatMarkdown({ header, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

function machine(): string {
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `*${date}, ${cpus().length} cores of ${cpu?.model.trim()}, ${formatBytes(totalmem())}, ${platform()} ${arch()}, Node ${process.versions.node}; medians of ${rounds} interleaved rounds.*`;
}

/** Replaces what stands between the markers of a section; the prose around stays. */
async function replaceTable(name: string, markdown: string): Promise<void> {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const text = await readFile(REPORT, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${REPORT} has no markers ${begin} … ${end}`);
  await writeFile(REPORT, `${text.slice(0, from + begin.length)}\n${markdown}\n${text.slice(to)}`);
}
