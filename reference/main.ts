/** `npm run docs`: writes docs/REFERENCE.md, docs/schemas and library/api.txt. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generatedDocs, projectFolder, SCHEMAS_FOLDER } from './generated.js';

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
