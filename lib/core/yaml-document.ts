/** Documents in YAML (JSON is one kind of it), with the library's errors in one line. */
import { type ParseOptions, parse } from 'yaml';
import { messageOf } from './errors.js';

/** What a text says. @throws what `fault` makes of the first line of what is wrong, which says where it is, too */
export function parseYaml(
  text: string,
  fault: (why: string, cause: unknown) => Error,
  options: ParseOptions & { readonly logLevel?: 'warn' | 'error' } = {},
): unknown {
  try {
    return parse(text, options);
  } catch (cause) {
    // Beside its own errors the library throws plain ones: of anchors that are no names, of aliases without one.
    const [line = ''] = messageOf(cause).split('\n');
    throw fault(line.replace(/:$/, ''), cause);
  }
}
