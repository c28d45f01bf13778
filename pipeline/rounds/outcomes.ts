/** What the results of a round's stages mean for its record, whichever target gave them. */
import { basename } from 'node:path';
import type { TestFigures } from '../../lib/federation/metrics.js';
import type { MissingClient } from '../../lib/federation/quorum.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import type { RoundRecord } from '../../lib/formats/run-record.js';
import type { Rejection } from '../../lib/formats/stage-results.js';
import type { Evaluation, RejectedUpdate } from './runner.js';

/** Client k's update is `k.h5`; a file of another name, or of a client that the round did not select, is nobody's. */
export function rejectedUpdates(
  rejections: readonly Rejection[],
  selected: readonly number[],
): readonly RejectedUpdate[] {
  const clients = new Map(selected.map((client) => [`${client}.h5`, client]));
  return rejections.map(({ file, reason }) => {
    const name = basename(file);
    const client = clients.get(name);
    return client === undefined ? { file: name, reason } : { client, reason };
  });
}

/** What lies on the volume of a client that is missing has its reason on record already. */
export function withoutMissing(
  rejected: readonly RejectedUpdate[],
  missing: readonly MissingClient[],
): RejectedUpdate[] {
  const isMissing = (client: number) => missing.some((each) => each.client === client);
  return rejected.filter((each) => !('client' in each && isMissing(each.client)));
}

/** What round.json says of an accuracy test. */
export type EvaluationFacts = NonNullable<RoundRecord['evaluation']>;

/** JSON has no NaN. */
export function withLoss({
  examples,
  loss,
  accuracy,
  task,
  metrics,
  acrossClients,
  leads,
}: TestFigures & Pick<EvaluationFacts, 'examples' | 'acrossClients'>): Evaluation {
  return { examples, accuracy, task, metrics, leads, acrossClients, loss: loss ?? Number.NaN };
}

/** How the list of a round's clients, which may be long, is told. */
export const hashOfSelected = (clients: readonly number[]): string => sha256(clients.join());
