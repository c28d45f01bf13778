/** The table of placeholders in docs/KUBERNETES.md; `node dist/k8s/manifests/placeholder-table.js` writes it there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMain } from '../../lib/cli/program.js';
import { PLACEHOLDER_NAMES, PLACEHOLDERS, type Placeholder } from './placeholders.js';
import { placeholdersIn, readTemplate, TEMPLATE_NAMES, TEMPLATES } from './templates.js';

/** The guide that holds the table. */
export const GUIDE = fileURLToPath(new URL('../../../docs/KUBERNETES.md', import.meta.url));

const BEGIN = '<!-- placeholders: written by dist/k8s/manifests/placeholder-table.js -->\n';
const END = '<!-- /placeholders -->\n';

/** The guide with the table as it should be. */
export function withTable(guide: string): string {
  const begin = guide.indexOf(BEGIN);
  const end = guide.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${GUIDE} has no place for the table of placeholders`);
  return `${guide.slice(0, begin + BEGIN.length)}${placeholderTable()}${guide.slice(end)}`;
}

/** The table in Markdown. */
function placeholderTable(): string {
  const files = new Map<string, string[]>();
  for (const template of TEMPLATE_NAMES) {
    for (const name of placeholdersIn(readTemplate(template)).keys())
      files.set(name, [...(files.get(name) ?? []), TEMPLATES[template].replace('.yaml', '')]);
  }
  const rows = PLACEHOLDER_NAMES.map((name) => {
    const { default: value, meaning, empty }: Placeholder = PLACEHOLDERS[name];
    const told = value === undefined ? '**required**' : value === '' ? empty : `\`${value}\``;
    return [`\`${name}\``, told, meaning, files.get(name)?.join(', ') ?? ''];
  });
  const lines = [['placeholder', 'default', 'meaning', 'in'], ['---', '---', '---', '---'], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

if (isMain(import.meta.url)) writeFileSync(GUIDE, withTable(readFileSync(GUIDE, 'utf8')));
