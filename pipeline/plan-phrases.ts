/** A run's plan in a few phrases, for the line that it opens with. */
import { describeLocalWork } from '../lib/federation/local-work.js';
import { selectedCount } from '../lib/federation/participation.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { count } from './local-run.js';
import { localWork } from './training-task.js';

/** `10 clients`, `5 of them a round`, `2 rounds`, …: a phrase each. */
export function planPhrases({ federation, training, model, seed }: RunSettings): readonly string[] {
  const { clients, rounds } = federation;
  const selected = selectedCount(federation);
  return [
    count(clients, 'client'),
    ...(selected < clients ? [`${selected} of them a round`] : []),
    count(rounds, 'round'),
    describeLocalWork(localWork(training)),
    `batch ${training.batch}`,
    `model ${model.name}`,
    `seed ${seed}`,
  ];
}
