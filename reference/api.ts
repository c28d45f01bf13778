/** library/api.txt: the names and signatures of the library, and of all that these refer to, from the compiled declarations. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The compiled project, seen from dist/reference/. */
const dist = fileURLToPath(new URL('../', import.meta.url));

/** A declaration, and the module that it stands in. */
interface Place {
  readonly module: string;
  readonly name: string;
}

/** A module's declarations by name, where its other names come from, and what it exports of others. */
interface Declarations {
  readonly own: ReadonlyMap<string, string>;
  readonly imported: ReadonlyMap<string, Place>;
  readonly exported: ReadonlyMap<string, Place>;
}

/**
 * The text.
 *
 * @param exports those of package.json
 * @param internal names of types that callers only pass on: what they are made of may change
 */
export function apiSnapshot(exports: Readonly<Record<string, unknown>>, internal: readonly string[]): string {
  const modules = new Map<string, Declarations>();
  const open = (module: string): Declarations => {
    const known = modules.get(module) ?? readDeclarations(module);
    modules.set(module, known);
    return known;
  };
  const shown = new Set<string>();
  const sections = Object.entries(exports).flatMap(([entry, target]) => {
    const types = (target as { readonly types?: string }).types;
    if (types === undefined) return [];
    const module = types.replace('./dist/', '').replace(/\.d\.ts$/, '');
    const { exported, own } = open(module);
    const names = new Map([...[...own.keys()].map((name) => [name, { module, name }] as const), ...exported]);
    const texts = [...names]
      .filter(([name, place]) => exported.has(name) || isExported(open(place.module).own.get(place.name)))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, place]) => {
        const found = resolve(place, open);
        shown.add(keyOf(found));
        const text = open(found.module).own.get(found.name) ?? '';
        return name === found.name ? text : `// as ${name}\n${text}`;
      });
    return [`# ${entry.replace('.', 'fedbatch')}`, ...texts];
  });
  return `${[...sections, '# What they refer to', ...referred(shown, { open, internal })].join('\n\n')}\n`;
}

/** The declarations that the shown ones refer to, and those that these refer to, by module and name. */
function referred(
  shown: ReadonlySet<string>,
  {
    open,
    internal,
  }: { readonly open: (module: string) => Declarations; readonly internal: readonly string[] },
): readonly string[] {
  const seen = new Set(shown);
  const found = new Map<string, string>();
  const queue = [...seen];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [module = '', name = ''] = next.split(' ');
    const { own, imported } = open(module);
    for (const [word] of (own.get(name) ?? '').matchAll(/[A-Za-z_$][\w$]*/g)) {
      const place = imported.get(word) ?? (own.has(word) ? { module, name: word } : undefined);
      const target = place && resolve(place, open);
      if (target === undefined || seen.has(keyOf(target)) || internal.includes(target.name)) continue;
      seen.add(keyOf(target));
      const text = open(target.module).own.get(target.name) ?? '';
      // The constants behind types are tables and schemas; docs/schemas shows the latter.
      if (/^(export )?declare const /.test(text)) continue;
      queue.push(keyOf(target));
      found.set(keyOf(target), text);
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
}

const keyOf = ({ module, name }: Place) => `${module} ${name}`;

/** Where a name is declared, however often it is exported again. */
function resolve(place: Place, open: (module: string) => Declarations): Place {
  const { own, exported } = open(place.module);
  const next = own.has(place.name) ? undefined : exported.get(place.name);
  return next === undefined ? place : resolve(next, open);
}

const isExported = (text: string | undefined) => text?.startsWith('export ') ?? false;

function readDeclarations(module: string): Declarations {
  const text = readFileSync(join(dist, `${module}.d.ts`), 'utf8').replaceAll(
    /^[ \t]*\/\*[\s\S]*?\*\/\n?|^\/\/.*$/gm,
    '',
  );
  const own = new Map<string, string>();
  const imported = new Map<string, Place>();
  const exported = new Map<string, Place>();
  for (const statement of statementsOf(text)) {
    const [, verb, names = '', from] =
      /^(import|export) (?:type )?\{([^}]*)\}(?: from '(\.[^']*)\.js')?;$/.exec(statement) ?? [];
    for (const [, name = '', local = name] of names.matchAll(
      /(?:type )?([\w$]+)(?: as ([\w$]+))?\s*(?:,|$)/g,
    )) {
      const place = from === undefined ? imported.get(name) : { module: join(dirname(module), from), name };
      if (place !== undefined) (verb === 'import' ? imported : exported).set(local, place);
    }
    const [, name] =
      /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class|type|const|function) ([\w$]+)/.exec(
        statement,
      ) ?? [];
    if (name !== undefined) own.set(name, [own.get(name), statement].filter(Boolean).join('\n'));
  }
  return { own, imported, exported };
}

/** Splits declarations at their ends: of interfaces and classes the brace, of others the semicolon outside of brackets. */
function statementsOf(text: string): readonly string[] {
  const statements: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { 0: mark, index } of text.matchAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[([{)\]};]/g)) {
    if ('([{'.includes(mark)) depth++;
    if (')]}'.includes(mark)) depth--;
    const statement = text.slice(from, index + 1).trim();
    const hasBody = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class) /.test(statement);
    if (depth > 0 || mark !== (hasBody ? '}' : ';')) continue;
    statements.push(statement);
    from = index + 1;
  }
  return statements;
}
