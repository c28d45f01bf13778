/** What TensorBoard is shown of a round: numbers of the global model, and of each client. */
import { oddUpdates } from '../../lib/federation/odd-updates.js';
import type { RunEvent } from '../../lib/formats/metrics-event.js';
import type { ClientRecord, RoundRecord, RunRecord } from '../../lib/formats/run-record.js';
import type { StepEvent, SummaryValue } from './event-message.js';

type ToldRound = Extract<RunEvent, { readonly event: 'round' }>;

/** A number under each tag; what is not known is left out, and a loss that is not finite is NaN. */
const scalars = (
  group: string,
  numbers: Readonly<Record<string, number | null | undefined>>,
): readonly SummaryValue[] =>
  Object.entries(numbers).flatMap(([name, number]) =>
    number === undefined ? [] : [{ tag: `${group}/${name}`, scalar: number ?? Number.NaN }],
  );

/** Tags of which every round has one, in the logs of the global model and in those of each client of the round. */
export const ROUND_TAGS: readonly string[] = ['participation/selected', 'training/examples'];

/** Of the global model that a round ended with, and of the round itself. */
export function globalValues(told: ToldRound, record: RoundRecord): readonly SummaryValue[] {
  const { accuracy, loss, metrics, best, seconds, selected, reported, rejected, missing, examples } = told;
  const { reported: clients } = record;
  const { privacy, clipNorm } = record.aggregate ?? {};
  const isMeasured = clients.some(({ norm }) => norm !== undefined);
  return [
    ...scalars('test', { loss, ...named(accuracy, metrics), best: best ?? undefined }),
    ...scalars('training', { loss: meanOf(clients, ({ loss }) => loss), learning_rate: record.learningRate }),
    ...scalars('updates', {
      norm: meanOf(clients, ({ norm }) => norm),
      cosine: meanOf(clients, ({ cosine }) => cosine),
      clip: clipNorm,
      unlike: isMeasured ? oddUpdates(clients).length : undefined,
    }),
    ...scalars('participation', { selected, reported, rejected, missing, averaged: told.updates, examples }),
    ...scalars('seconds', seconds),
    // Infinite without noise; by the other way of drawing not always known.
    ...scalars('privacy', {
      epsilon: privacy?.epsilon ?? undefined,
      epsilon_poisson: privacy?.epsilonPoisson ?? undefined,
      clip: privacy?.clip,
    }),
  ];
}

/** Of one client's training in a round: its epochs, counted from the first of round 1 on, then the round. */
export function clientEvents(
  client: ClientRecord,
  { step, wallTime, run }: { readonly step: number; readonly wallTime: number; readonly run: RunRecord },
): readonly StepEvent[] {
  const { loss, accuracy, seconds, examples, norm, cosine, heldOut, epochs = [] } = client;
  // Where steps are counted in the place of epochs, each round has as many of these as they came to.
  const before = (step - 1) * (run.settings.training.epochs ?? epochs.length);
  return [
    ...epochs.map((each) => ({
      step: before + each.epoch,
      wallTime,
      values: scalars('epochs', { loss: each.loss, accuracy: each.accuracy }),
    })),
    {
      step,
      wallTime,
      values: [
        ...scalars('training', { loss, accuracy, examples, seconds }),
        ...scalars('updates', { norm, cosine }),
        ...(heldOut === undefined ? [] : heldOutValues(heldOut)),
      ],
    },
  ];
}

const heldOutValues = (heldOut: NonNullable<ClientRecord['heldOut']>): readonly SummaryValue[] =>
  (['before', 'after'] as const).flatMap((when) => {
    const { loss, accuracy, metrics } = heldOut[when];
    return scalars(`held_out_${when}`, { loss, ...named(accuracy, metrics) });
  });

/** The metrics of a test, accuracy among them where an answer can be right. */
const named = (accuracy: number | undefined, metrics: Readonly<Record<string, number>> | undefined) => ({
  ...(accuracy === undefined ? {} : { accuracy }),
  ...metrics,
});

/** The mean over the clients that have the number, each with the weight of its examples; undefined where none has. */
function meanOf(
  clients: readonly ClientRecord[],
  numberOf: (client: ClientRecord) => number | null | undefined,
): number | undefined {
  const known = clients.flatMap((client) => {
    const number = numberOf(client);
    return number === undefined ? [] : [{ weight: client.examples, number: number ?? Number.NaN }];
  });
  const weights = known.reduce((sum, { weight }) => sum + weight, 0);
  return weights === 0
    ? undefined
    : known.reduce((sum, { weight, number }) => sum + weight * number, 0) / weights;
}
