/** The documents that are made of the programs; `npm run docs` writes docs/REFERENCE.md, docs/LICENSES.md, the tables of docs/MODELS.md and docs/KUBERNETES.md, docs/schemas and library/api.txt. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLACEHOLDER_NAMES, PLACEHOLDERS, type Placeholder } from '../k8s/manifests/placeholders.js';
import { placeholdersIn, readTemplate, TEMPLATE_NAMES, TEMPLATES } from '../k8s/manifests/templates.js';
import { isMain } from '../lib/cli/program.js';
import { code, table } from '../lib/html/html.js';
import { apiSnapshot } from './api.js';
import { licensesPage } from './licenses.js';
import { modelsTable } from './models.js';
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
    guide('docs/MODELS.md', await modelsTable()),
    guide('docs/KUBERNETES.md', placeholderTable()),
    ...schemas.map(
      ({ name, schema }) =>
        [`${SCHEMAS_FOLDER}/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
    ),
  ]);
}

const [BEGIN, END] = ['<!-- made by npm run docs -->', '<!-- end of what npm run docs makes -->'];

/** A guide whose one table is made, and its text. */
function guide(path: string, made: string): readonly [path: string, text: string] {
  const [before, rest] = readText(path).split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`${path} has no place for its table`);
  return [path, `${before}${BEGIN}\n\n${made}\n\n${END}${after}`];
}

/** The placeholders of the templates of Jobs. */
function placeholderTable(): string {
  const files = new Map<string, string[]>();
  for (const template of TEMPLATE_NAMES) {
    for (const name of placeholdersIn(readTemplate(template)).keys())
      files.set(name, [...(files.get(name) ?? []), TEMPLATES[template].replace('.yaml', '')]);
  }
  const rows = PLACEHOLDER_NAMES.map((name) => {
    const { default: value, meaning, empty = '' }: Placeholder = PLACEHOLDERS[name];
    const told = value === undefined ? '**required**' : value === '' ? empty : code(value);
    return [code(name), told, meaning, files.get(name)?.join(', ') ?? ''];
  });
  return table(['placeholder', 'default', 'meaning', 'in'], rows);
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
