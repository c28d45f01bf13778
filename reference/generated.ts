/** The documents that are made of the programs: their paths below the project's root, and their texts. */
import { referencePage } from './page.js';
import { jsonSchemas } from './schemas.js';

/** Where the schemas lie. */
export const SCHEMAS_FOLDER = 'docs/schemas';

/** Path → text. */
export async function generatedDocs(): Promise<ReadonlyMap<string, string>> {
  const schemas = jsonSchemas();
  return new Map([
    ['docs/REFERENCE.md', await referencePage(schemas)],
    ...schemas.map(
      ({ name, schema }) =>
        [`${SCHEMAS_FOLDER}/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
    ),
  ]);
}
