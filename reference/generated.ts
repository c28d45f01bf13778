/** The documents that are made of the programs: their paths below the project's root, and their texts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiSnapshot } from './api.js';
import { layersPage } from './layers.js';
import { referencePage } from './page.js';
import { jsonSchemas } from './schemas.js';

/** The project's root, seen from dist/reference/. */
export const projectFolder = fileURLToPath(new URL('../../', import.meta.url));

/** Where the schemas lie. */
export const SCHEMAS_FOLDER = 'docs/schemas';

/** Path → text. */
export async function generatedDocs(): Promise<ReadonlyMap<string, string>> {
  const schemas = jsonSchemas();
  const { exports } = read('package.json') as {
    readonly exports: Readonly<Record<string, unknown>>;
  };
  const { intentionallyNotExported } = read('reference/typedoc/typedoc.json') as {
    readonly intentionallyNotExported: readonly string[];
  };
  return new Map([
    ['library/api.txt', apiSnapshot(exports, intentionallyNotExported)],
    ['docs/REFERENCE.md', await referencePage(schemas)],
    ['docs/LAYERS.md', layersPage()],
    ...schemas.map(
      ({ name, schema }) =>
        [`${SCHEMAS_FOLDER}/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
    ),
  ]);
}

const read = (path: string): unknown => JSON.parse(readFileSync(join(projectFolder, path), 'utf8'));
