/** What people call a run: a name and tags, on which nothing depends. */
import { text } from './value-type.js';

/** Labels of a run; what is not given is left as it was. */
export interface RunLabels {
  readonly name?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** The name of a run. */
export const RUN_NAME_TYPE = text('a name of one line, up to 80 characters', (given) =>
  /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,80}$/u.test(given.trim()) ? given.trim() : undefined,
);

/** A tag of runs. */
export const RUN_TAG_TYPE = text(
  'a word such as baseline or lr=0.1: letters, digits and . _ : / = - up to 40 characters',
  (given) => (/^[\p{L}\p{N}._:/=-]{1,40}$/u.test(given) ? given : undefined),
);

/** The labels that are given, as run.json holds them. */
export function givenLabels({ name, tags = [] }: RunLabels): { name?: string; tags?: string[] } {
  return {
    ...(name === undefined ? {} : { name }),
    ...(tags.length === 0 ? {} : { tags: [...new Set(tags)] }),
  };
}
