/** The module in the file of `--task`: TypeScript or JavaScript anywhere on disk, which imports fedbatch and Node alone. */
import * as nodeModule from 'node:module';
import { extname } from 'node:path';
import { messageOf, UsageError } from '../core/errors.js';

const TYPESCRIPT = ['.ts', '.mts'];
const JAVASCRIPT = ['.js', '.mjs'];

/** How the name of a task's file ends. */
export const TASK_ENDINGS: readonly string[] = [...TYPESCRIPT, ...JAVASCRIPT];

/** Whether a file may be a task by its name. */
export const isTaskName = (file: string): boolean => TASK_ENDINGS.includes(extname(file));

/** What Node 20 does not have, and types of Node 20 do not tell of. */
const { stripTypeScriptTypes: strip } = nodeModule as {
  readonly stripTypeScriptTypes?: (code: string) => string;
};

/** Whether this Node makes JavaScript of TypeScript. */
export const readsTypeScript = (): boolean => strip !== undefined;

/** The part of fedbatch that tasks are written with; the rest would take its time to load in every program. */
const FEDBATCH = new URL('./task-definition.js', import.meta.url).href;

/** Import and export declarations, with what they name. */
const IMPORTS = /^(\s*(?:import|export)\b(?:[^'";]*?\bfrom)?\s*)(['"])([^'"\n]+)\2/gm;

/**
 * What the module of this text exports.
 *
 * @param file names it in errors, and tells TypeScript by its ending
 * @throws {UsageError} when it cannot be loaded, with the line
 */
export async function importTask(text: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  const source = scriptOf(text, file).replaceAll(
    IMPORTS,
    (_, head: string, quote: string, name: string) => head + quote + addressOf(name, file) + quote,
  );
  // Wherever the file lies, fedbatch is this one, and the module is one of ECMAScript.
  const url = `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
  try {
    return await import(url);
  } catch (error) {
    throw thrownBy(error, `${file}:`);
  }
}

/** An error of a task's own code as one sentence, with the line where it tells. */
export function thrownBy(error: unknown, what: string): UsageError {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const [, line] = /data:text\/javascript;base64,[\w+/=]*:(\d+)/.exec(stack) ?? [];
  const where = line === undefined ? '' : `line ${line}: `;
  const said = messageOf(error).split('\n')[0] as string;
  // The one name is the whole module, and its author knows the other by another one.
  const short = said
    .replaceAll(/data:text\/javascript;base64,[\w+/=]*/g, 'the file')
    .replaceAll(FEDBATCH, 'fedbatch');
  return new UsageError(`${what} ${where}${short.replace(/\.$/, '')}.`, { cause: error });
}

/** The text without types. @throws {UsageError} for another ending, what is no TypeScript, or a Node that knows none */
function scriptOf(text: string, file: string): string {
  if (!isTaskName(file)) {
    const found = extname(file) === '' ? 'a name without an ending' : extname(file);
    throw new UsageError(`${file}: expected a module, ${TASK_ENDINGS.join(', ')}, found ${found}.`);
  }
  if (JAVASCRIPT.includes(extname(file))) return text;
  if (strip === undefined) {
    throw new UsageError(
      `${file}: expected a compiled .js file, since Node ${process.versions.node} reads no TypeScript ` +
        '(Node 22.13 does): npx tsc makes one, npx fedbatch init-task task.js an example.',
    );
  }
  try {
    return silently(() => strip(text));
  } catch (error) {
    throw new UsageError(`${file}: expected TypeScript, found ${messageOf(error).trim().split('\n')[0]}.`, {
      cause: error,
    });
  }
}

/** Without Node's remark that this is an experiment of its own. */
function silently<T>(work: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return work();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Where what is imported lies. @throws {UsageError} for anything but fedbatch and Node's own modules */
function addressOf(name: string, file: string): string {
  if (nodeModule.isBuiltin(name)) return name;
  if (name === 'fedbatch') return FEDBATCH;
  throw new UsageError(
    `${file}: expected a task in one file, which imports fedbatch and Node's modules alone, found an import of "${name}".`,
  );
}
