/** Which schema of docs/schemas the result of a command has: every result that a test sees is held against it. */
import { requireValid } from './json-schemas.js';
import type { Finished, Program } from './programs.js';

type Arguments = readonly string[];

/** By command; undefined where such arguments print no JSON. */
const RESULTS: Readonly<Record<string, (args: Arguments) => string | undefined>> = {
  run: (args) => (args.includes('--seeds') ? 'repeated-run' : 'run-result'),
  sweep: () => 'sweep-result',
  split: (args) => (args.includes('--check') ? 'split-check' : 'split-result'),
  init: () => 'init-result',
  'init-task': () => 'init-task-result',
  train: () => 'train-result',
  aggregate: () => 'aggregate-result',
  export: () => 'export-result',
  report: () => 'report-result',
  runs: ([first]) => (first === 'compare' ? 'runs-comparison' : 'runs-result'),
  status: () => 'run-status',
  stats: () => 'statistics-result',
  doctor: () => 'findings',
  each: () => 'each-result',
  'as-client': () => 'as-client-result',
  record: (args) => RECORDED[args[args.indexOf('--step') + 1] ?? ''],
  dataset: ([kind]) => (kind === 'import' ? 'import-result' : 'dataset-result'),
};

const RECORDED: Readonly<Record<string, string>> = {
  open: 'record-open',
  placed: 'record-round',
  trained: 'record-round',
  tested: 'record-round',
  end: 'record-end',
  failed: 'record-failed',
};

/** The commands of programs that are no `cli`. */
const COMMAND_OF: Readonly<Partial<Record<Program, string>>> = {
  'splitter/cli': 'split',
  'trainer/cli': 'train',
  'trainer/init-cli': 'init',
  'aggregator/cli': 'aggregate',
  'pipeline/cli': 'run',
  'datasets/cli': 'dataset',
  'doctor/cli': 'doctor',
  'report/cli': 'report',
};

/** Names of the schemas that results are held against. */
export const RESULT_SCHEMAS: readonly string[] = [
  ...Object.values(RESULTS).flatMap((schemaOf) =>
    [[], ['--seeds'], ['--check'], ['compare'], ['import']].flatMap((args) => schemaOf(args) ?? []),
  ),
  ...Object.values(RECORDED),
];

/** Fails unless the result of a command that ended well is as its schema says; what is told to people passes. */
export function requireResult(command: string, args: Arguments, { exitCode, stdout }: Finished): void {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  const schema = exitCode === 0 && /^[{[]/.test(line) ? RESULTS[command]?.(args) : undefined;
  if (schema !== undefined) requireValid(schema, JSON.parse(line));
}

/** The same of a program of its own. */
export function requireProgramResult(program: Program, args: Arguments, finished: Finished): void {
  const own = COMMAND_OF[program];
  if (own !== undefined) requireResult(own, args, finished);
  else if (program === 'cli') requireResult(args[0] ?? '', args.slice(1), finished);
}
