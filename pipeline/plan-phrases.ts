/** A run's plan in a few phrases, for the line that it opens with. */
import { describeLocalWork, localWorkOf } from '../lib/federation/local-work.js';
import { selectedCount } from '../lib/federation/participation.js';
import { formatPrivacy, privacyAfter } from '../lib/federation/privacy/privacy-record.js';
import { FEDAVG, type StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import type { RunSettings } from '../lib/settings/table.js';
import { count } from './local-run.js';

/** `10 clients`, `5 of them a round`, `2 rounds`, …: a phrase each. */
export function planPhrases(settings: RunSettings): readonly string[] {
  const { federation, training, model, seed, strategy = FEDAVG } = settings;
  const { clients, rounds } = federation;
  const selected = selectedCount(federation);
  return [
    count(clients, 'client'),
    ...(selected < clients ? [`${selected} of them a round`] : []),
    count(rounds, 'round'),
    describeLocalWork(localWorkOf(training)),
    `batch ${training.batch}`,
    `model ${model.name}`,
    `seed ${seed}`,
    ...privacyPhrases(strategy, { participants: selected, population: clients, rounds }),
  ];
}

/** What the run's privacy will have cost when all rounds are done: said before the first one starts. */
function privacyPhrases(
  strategy: StrategySettings,
  rounds: Parameters<typeof privacyAfter>[1],
): readonly string[] {
  const { privacy } = privacyAfter(strategy, rounds);
  if (privacy === undefined) return [];
  return [
    `private within ${formatPrivacy(privacy)} after all rounds (--dp-noise ${strategy.privacy?.noise})`,
  ];
}
