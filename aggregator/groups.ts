/** The groups of a round, read one after the other, each checked against the first one and what the user told. */
import { resolve } from 'node:path';
import { abbreviatedHash, DataError, UsageError } from '../lib/core/errors.js';
import { formatShape } from '../lib/core/weights.js';
import { USUAL_SCALE } from '../lib/federation/pixel-scale.js';
import type { SumArray, WeightedSums } from '../lib/federation/weighted-mean.js';
import { type GroupClient, type GroupFacts, type GroupFile, readGroup } from '../lib/formats/group-file.js';
import type { Reporter } from '../lib/observability/events.js';
import type { RoundParent } from './admission.js';

/** What all groups have to agree with; of what is not told, the first one decides. */
interface GroupExpectations {
  readonly parent: RoundParent | undefined;
  readonly round: number | undefined;
  readonly clipNorm: number | undefined;
  /** That the sums are made for, where they are not those of the weights alone. */
  readonly strategy?: string;
  readonly saveFile: string;
  readonly reporter: Reporter;
  readonly signal: AbortSignal | undefined;
}

/** Groups to be read. */
interface OpenedGroups {
  /** What they have in common. */
  readonly facts: Omit<GroupFacts, 'group' | 'clients'>;
  /** Their sums, one group in memory at a time; can be read once. @throws {DataError} for one that does not fit */
  readonly sums: AsyncIterable<WeightedSums>;
  /** The clients of those read, in ascending order. */
  clients(): GroupClient[];
  /** The examples of those read. */
  examples(): number;
}

type Arrays = readonly Pick<SumArray, 'name' | 'shape'>[];

/** Reads the first group, to know what the others have to be like. @throws {DataError} when it is no group */
export async function openGroups(
  files: readonly string[],
  { reporter, signal, ...told }: GroupExpectations,
): Promise<OpenedGroups> {
  const [first] = files;
  if (first === undefined) throw new UsageError('Expected files of groups after --groups, found none.');
  if (files.some((file) => resolve(file) === resolve(told.saveFile))) {
    throw new UsageError(`${told.saveFile} cannot be a group and the result as well.`);
  }
  const { sums: leading, group: _group, clients: _clients, ...facts } = await readGroup(first);
  const expected: Expected = {
    round: told.round ?? facts.round,
    parent: told.parent?.sha256 ?? facts.parent,
    clipNorm: told.clipNorm ?? facts.clipNorm,
    strategy: told.strategy,
    scale: (told.parent?.model ?? facts).scale,
    arrays: expectedArrays(leading, told.parent),
    like: told.parent?.file ?? first,
  };
  const owners = new Map<number, { readonly file: string; readonly client: GroupClient }>();

  async function* sums(): AsyncGenerator<WeightedSums> {
    for (const [done, file] of files.entries()) {
      signal?.throwIfAborted();
      const group = await readGroup(file);
      checkGroup(file, group, expected);
      for (const client of group.clients) {
        const other = owners.get(client.client)?.file;
        if (other !== undefined) {
          const found = `client ${client.client}, who is in ${other} too`;
          throw new DataError({ file, expected: 'clients that no other group has', found });
        }
        owners.set(client.client, { file, client });
      }
      yield group.sums;
      reporter.progress({ stage: 'aggregate', done: done + 1, total: files.length, unit: 'groups' });
    }
  }

  const clients = () => [...owners.values()].map(({ client }) => client).sort((a, b) => a.client - b.client);
  return {
    facts,
    sums: sums(),
    clients,
    examples: () => clients().reduce((sum, { examples }) => sum + examples, 0),
  };
}

/** Those of the parent, and after them what the strategy adds up beside weights. */
function expectedArrays({ arrays }: WeightedSums, parent: RoundParent | undefined): Arrays {
  const outlines = arrays.map(({ name, shape }) => ({ name, shape }));
  const { weights } = parent?.model ?? {};
  return weights === undefined ? outlines : [...weights, ...outlines.slice(weights.length)];
}

interface Expected {
  readonly round: number;
  /** sha256 of the global model's file. */
  readonly parent: string;
  readonly clipNorm: number | undefined;
  readonly strategy: string | undefined;
  readonly scale: string | undefined;
  readonly arrays: Arrays;
  /** The file that has these arrays. */
  readonly like: string;
}

/** @throws {DataError} when the sums cannot be added to those that are expected */
function checkGroup(file: string, { sums, ...group }: GroupFile, expected: Expected): void {
  const require = <T>(wanted: T, found: T, say: (value: T) => string) => {
    if (found !== wanted) throw new DataError({ file, expected: say(wanted), found: say(found) });
  };
  require(expected.round, group.round, (round) => `updates of round ${round}`);
  require(expected.parent, group.parent, (parent) =>
    `updates of the global model ${abbreviatedHash(parent)}`);
  require(expected.scale, group.scale, (scale = USUAL_SCALE) =>
    `updates trained on pixels of the scale ${scale}`);
  require(expected.clipNorm, group.clipNorm, (norm) =>
    norm === undefined ? 'updates that are not clipped' : `updates clipped to ${norm}`);
  require(expected.strategy, group.strategy, (strategy) =>
    strategy === undefined ? 'sums of weights alone' : `sums made with --strategy ${strategy}`);
  const describe = (array: Arrays[number] | undefined) =>
    array === undefined ? 'no further array' : `${array.name} ${formatShape(array.shape)}`;
  for (let index = 0; index < Math.max(expected.arrays.length, sums.arrays.length); index++) {
    const [wanted, found] = [describe(expected.arrays[index]), describe(sums.arrays[index])];
    require(wanted, found, (array) => (array === wanted ? `${array} as in ${expected.like}` : array));
  }
}
