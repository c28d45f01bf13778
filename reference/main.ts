/** `npm run docs`: writes docs/REFERENCE.md and docs/schemas. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedDocs, SCHEMAS_FOLDER } from './generated.js';

/** The project's root, seen from dist/reference/. */
const root = fileURLToPath(new URL('../../', import.meta.url));

const documents = await generatedDocs();
const folder = join(root, SCHEMAS_FOLDER);
for (const name of await readdir(folder).catch(() => [])) {
  if (!documents.has(`${SCHEMAS_FOLDER}/${name}`)) await rm(join(folder, name));
}
for (const [path, text] of documents) {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}
process.stdout.write(`Wrote ${documents.size} documents.\n`);
