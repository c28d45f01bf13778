/** The JSON Schemas of docs/schemas, as a validator of their own reads them: what is documented, and not what we check. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
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
