/** Whose updates a round can have: those of the split's clients, of the selected ones, of those that reported. */
import { z } from 'zod';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import { isEachOnce } from '../lib/formats/fields.js';
import { readDocument } from '../lib/formats/files/json-document.js';
import { clientsOf, readManifest } from '../lib/formats/manifest.js';

/** Where it is told whose updates count. */
export interface ClientSources {
  /** The manifest of the split that the round trains on. */
  readonly manifest?: string | undefined;
  /** The clients that the round selected. */
  readonly selected?: readonly number[] | undefined;
  /** A record of the round that lists what its clients reported: round.json. */
  readonly reported?: string | undefined;
}

/** What is known of an update before its file is opened. */
interface ReportedUpdate extends UpdateFacts {
  /** Of the file, as its trainer told it. */
  readonly sha256: string;
}

/** Whose updates a round can have. */
export interface RoundClients {
  /** Each has its update in a directory as `<client>.h5`. */
  readonly clients: ReadonlySet<number>;
  /** Where it is on record: what each of them reported. */
  readonly reported?: ReadonlyMap<number, ReportedUpdate>;
  /** Why an update with these facts cannot be of this round; undefined where it can. */
  whyForeign(facts: UpdateFacts): string | undefined;
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const client = z.int().min(0);
const recordSchema = z.object({
  round: z.int().min(1),
  parent: hash,
  selected: z.array(client),
  reported: z
    .array(z.object({ client, examples: z.int().min(0), sha256: hash }))
    .refine(isEachOnce, 'a client stands there twice'),
});

/** Reads what is told; undefined where nothing is. @throws {DataError} when a file is missing or something else */
export async function roundClients(sources: ClientSources): Promise<RoundClients | undefined> {
  const { manifest, selected } = sources;
  const shards = manifest === undefined ? undefined : clientsOf(await readManifest(manifest));
  const record = sources.reported === undefined ? undefined : await readRecord(sources.reported);
  const chosen = record?.selected ?? selected;
  const isChosen = chosen && new Set(chosen);
  const clients = record?.reported.map((each) => each.client) ?? selected ?? shards?.map((_, index) => index);
  if (clients === undefined) return undefined;

  const whyForeign = ({ client, examples }: UpdateFacts): string | undefined => {
    const shard = shards?.[client];
    if (shards !== undefined && shard === undefined)
      return `client ${client} is none of the ${shards.length} in ${manifest}`;
    if (isChosen?.has(client) === false) return `client ${client} was not selected for this round`;
    if (shard === undefined || examples === shard.examples) return undefined;
    return `client ${client} has ${shard.examples} examples, not ${examples}, in ${manifest}`;
  };
  if (record === undefined) return { clients: new Set(clients), whyForeign };
  const { round, parent } = record;
  const reported = new Map(record.reported.map((each) => [each.client, { ...each, round, parent }]));
  return { clients: new Set(clients), reported, whyForeign };
}

async function readRecord(file: string): Promise<z.infer<typeof recordSchema>> {
  const expected = 'the record of a round with what its clients reported (round.json)';
  return await readDocument({ schema: recordSchema, file, expected });
}
