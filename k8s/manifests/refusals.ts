/** What a command or a target cannot honour of what it is asked for: refused by one rule, so that nothing is dropped. */
import { UsageError } from '../../lib/core/errors.js';
import { flagOf } from '../../lib/settings/setting.js';
import { SETTINGS } from '../../lib/settings/table.js';
import { fileOf, placeholdersOf, TEMPLATE_NAMES, type TemplateName } from './templates.js';

/** What is asked for: the place of a setting, a placeholder or another option; and what messages call it. */
export type AskedOptions = ReadonlyMap<string, string>;

/** What is not honoured, by the same names, and how the sentence about it ends: why, or what to give instead. */
export type Refusals = Readonly<Record<string, string>>;

/** @throws {UsageError} for the first option that is not honoured; `by` is who does not */
export function refuseUnhonoured(asked: AskedOptions, refusals: Refusals, by: string): void {
  for (const [option, label] of asked) {
    if (!Object.hasOwn(refusals, option)) continue;
    throw new UsageError(`${label} does not go with ${by}${refusals[option]}.`);
  }
}

/** The placeholders that none of these templates has a place for. */
export function foreignPlaceholders(templates: readonly TemplateName[]): Refusals {
  const files = new Map<string, string[]>();
  for (const name of TEMPLATE_NAMES) {
    for (const placeholder of placeholdersOf(name))
      files.set(placeholder, [...(files.get(placeholder) ?? []), fileOf(name)]);
  }
  for (const own of templates.flatMap((name) => [...placeholdersOf(name)])) files.delete(own);
  return Object.fromEntries([...files].map(([name, where]) => [name, `: it belongs to ${where.join(', ')}`]));
}

/** The placeholders of settings that a command takes as flags: what its stages do is not for templates to say. */
export const placeholdersOfSettings = (): Refusals =>
  Object.fromEntries(
    SETTINGS.filter(({ affects }) => affects !== 'nothing').flatMap((setting) =>
      setting.placeholder === undefined ? [] : [[setting.placeholder, `: ${flagOf(setting)} gives it`]],
    ),
  );
