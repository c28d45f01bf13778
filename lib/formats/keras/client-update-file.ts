/** The facts of a client update as HDF5 root attributes beside a Keras model, which Keras itself passes over. */
import { DataError } from '../../core/errors.js';
import type { UpdateFacts } from '../../federation/client-update.js';
import type { Hdf5Reader } from '../hdf5/hdf5-reader.js';
import type { Hdf5Writer } from '../hdf5/hdf5-writer.js';

/** Root attributes of a client update: all are present or none is. */
const ATTRIBUTES = ['fedbatch_client', 'fedbatch_round', 'fedbatch_examples', 'fedbatch_parent'] as const;

/** The facts in an open file, or undefined where there are none. @throws {DataError} when they make no sense. */
export function readFacts(hdf5: Hdf5Reader, file: string): UpdateFacts | undefined {
  const present = new Set(hdf5.attributeNames('/'));
  const missing = ATTRIBUTES.filter((name) => !present.has(name));
  if (missing.length === ATTRIBUTES.length) return undefined;
  if (missing.length > 0) {
    throw new DataError({
      file,
      expected: `the attribute "${missing[0]}" with the other update attributes`,
      found: 'none',
    });
  }
  const facts: UpdateFacts = {
    client: hdf5.integer('/', 'fedbatch_client'),
    round: hdf5.integer('/', 'fedbatch_round'),
    examples: hdf5.integer('/', 'fedbatch_examples'),
    parent: hdf5.text('/', 'fedbatch_parent'),
  };
  // Zero examples can be stored: it is for the aggregator to reject, by name and with the reason.
  const sane = facts.client >= 0 && facts.round >= 1 && facts.examples >= 0;
  if (sane && /^[0-9a-f]{64}$/.test(facts.parent)) return facts;
  throw new DataError({
    file,
    expected: 'facts of a client update (client ≥ 0, round ≥ 1, examples ≥ 0, the sha256 of its parent)',
    found: JSON.stringify(facts),
  });
}

/** Writes the facts into a new file. */
export function writeFacts(hdf5: Hdf5Writer, facts: UpdateFacts): void {
  hdf5.integer('/', 'fedbatch_client', facts.client);
  hdf5.integer('/', 'fedbatch_round', facts.round);
  hdf5.integer('/', 'fedbatch_examples', facts.examples);
  hdf5.text('/', 'fedbatch_parent', facts.parent);
}
