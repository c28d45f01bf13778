/** The documents that are made of the programs; `npm run docs` writes docs/REFERENCE.md, docs/LICENSES.md, the tables of docs/MODELS.md, docs/schemas and library/api.txt. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMain } from '../lib/cli/program.js';
import { apiSnapshot } from './api.js';
import { licensesPage } from './licenses.js';
import { modelsPage } from './models.js';
import { referencePage } from './page.js';
import { jsonSchemas } from './schemas.js';

/** The project's root, seen from dist/reference/. */
const projectFolder = fileURLToPath(new URL('../../', import.meta.url));

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
    ['docs/LICENSES.md', licensesPage(read('package-lock.json'))],
    ['docs/REFERENCE.md', await referencePage(schemas)],
    ['docs/MODELS.md', await modelsPage(readText('docs/MODELS.md'))],
    ...schemas.map(
      ({ name, schema }) =>
        [`${SCHEMAS_FOLDER}/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
    ),
  ]);
}

const readText = (path: string) => readFileSync(join(projectFolder, path), 'utf8');
const read = (path: string): unknown => JSON.parse(readText(path));

/** Writes them, and takes away schemas that are no longer made. */
async function writeDocs(): Promise<void> {
  const documents = await generatedDocs();
  const folder = join(projectFolder, SCHEMAS_FOLDER);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!documents.has(`${SCHEMAS_FOLDER}/${name}`)) await rm(join(folder, name));
  }
  for (const [path, text] of documents) {
    await mkdir(dirname(join(projectFolder, path)), { recursive: true });
    await writeFile(join(projectFolder, path), text);
  }
  process.stdout.write(`Wrote ${documents.size} documents.\n`);
}

if (isMain(import.meta.url)) await writeDocs();
