/** Where all updates of an average come from: one round, one parent. */
import { DataError } from '../lib/core/errors.js';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import type { UpdateCandidate } from './candidates.js';

/** What the updates of one average have in common. */
export type Lineage = Pick<UpdateFacts, 'round' | 'parent'>;

/** What the user told of it. */
type ToldLineage = { readonly [K in keyof Lineage]: Lineage[K] | undefined };

/** How many files an error names for each opinion. */
const NAMED_FILES = 3;

/**
 * Completes what the user told by what the updates say: those that agree with what is told, since the others will be
 * rejected. Which of them is right is never guessed by majority.
 *
 * @throws {DataError} naming who says what, when they disagree about something that the user did not tell.
 */
export function agreeOnLineage(candidates: readonly UpdateCandidate[], told: ToldLineage): Lineage {
  const agree = <K extends keyof Lineage>(fact: K, option: string, fallback: Lineage[K]): Lineage[K] => {
    const opinions = new Map<Lineage[K], string[]>();
    for (const { file, facts } of candidates) {
      if (facts && agreesWith(told, facts))
        opinions.set(facts[fact], [...(opinions.get(facts[fact]) ?? []), file]);
    }
    if (opinions.size <= 1) return [...opinions.keys()][0] ?? fallback;
    const found = [...opinions].map(([value, files]) => `${value} in ${listFiles(files)}`).join('; ');
    throw new DataError({
      file: 'The client updates',
      expected: `one ${fact} (name the right one with ${option})`,
      found,
    });
  };
  return {
    parent: told.parent ?? agree('parent', '--parent', ''),
    round: told.round ?? agree('round', '--round', 0),
  };
}

function agreesWith(told: ToldLineage, { round, parent }: Lineage): boolean {
  return (told.round ?? round) === round && (told.parent ?? parent) === parent;
}

function listFiles(files: readonly string[]): string {
  const named = files.slice(0, NAMED_FILES).join(', ');
  return files.length > NAMED_FILES ? `${named} and ${files.length - NAMED_FILES} more` : named;
}
