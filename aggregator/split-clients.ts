/** Holds updates to a split: what an earlier run left in the same directory is never averaged in. */
import { clientsOf, readManifest } from '../lib/formats/manifest.js';
import type { Candidate, Candidates, Rejection } from './candidates.js';

/** Updates that can be of this split, and the number of its clients. */
export interface OfSplit extends Candidates {
  readonly clients: number;
}

/**
 * Rejects updates of clients that the manifest does not know, or that were trained on a shard of another size.
 *
 * @throws {DataError} when there is no such manifest
 */
export async function holdToSplit(found: Candidates, manifestFile: string): Promise<OfSplit> {
  const clients = clientsOf(await readManifest(manifestFile));
  const candidates: Candidate[] = [];
  const rejected: Rejection[] = [...found.rejected];
  for (const candidate of found.candidates) {
    const reason = whyForeign(candidate, clients);
    if (reason === undefined) candidates.push(candidate);
    else rejected.push({ file: candidate.file, reason: `${reason} in ${manifestFile}` });
  }
  return { candidates, rejected, clients: clients.length };
}

/** A plain Keras model tells nothing that could be held against it; a user has named it. */
function whyForeign(
  { facts }: Candidate,
  clients: readonly { readonly examples: number }[],
): string | undefined {
  if (facts === undefined) return undefined;
  const shard = clients[facts.client];
  if (shard === undefined) return `client ${facts.client} is none of the ${clients.length}`;
  if (facts.examples === shard.examples) return undefined;
  return `client ${facts.client} has ${shard.examples} examples, not ${facts.examples},`;
}
