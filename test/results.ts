/**
 * The JSON Schemas of docs/schemas, as a validator of their own reads them: what is documented, and not what we check.
 * Every result that a test sees is held against that of its command.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Finished, Program } from './programs.js';
import { projectRoot } from './sources.js';

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
const compiled = new Map<string, ValidateFunction>();

/** Fails, with every fault, unless a value is as the schema of that name says. */
export function requireValid(name: string, value: unknown): void {
  const validate = compiled.get(name) ?? ajv.compile(readSchema(name));
  compiled.set(name, validate);
  assert.ok(validate(value), `${name}: ${ajv.errorsText(validate.errors)}`);
}

/** Fails, with every fault, unless each line of a JSONL file is as the schema of that name says. */
export function requireValidLines(name: string, path: string): void {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  for (const line of lines) requireValid(name, JSON.parse(line));
}

/** Fails, with every fault, unless a JSON file is as the schema of that name says. */
export function requireValidFile(name: string, path: string): void {
  requireValid(name, JSON.parse(readFileSync(path, 'utf8')));
}

function readSchema(name: string): object {
  return JSON.parse(
    readFileSync(join(projectRoot, 'docs', 'schemas', `${name}.schema.json`), 'utf8'),
  ) as object;
}

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
