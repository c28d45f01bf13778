/** An event of a run as a line for people, and texts of records in lines. */
import { leadingFigure } from '../../lib/federation/metrics.js';
import { describeOddUpdates } from '../../lib/federation/odd-updates.js';
import { metricsEventSchema, type TimedEvent } from '../../lib/formats/metrics-event.js';
import { placeOfFailure } from '../../lib/formats/run-results.js';
import { formatLoss, formatSeconds } from '../../lib/observability/format.js';

/** Letters of the event's name. */
const NAME = 10;

type EventOf<Name extends TimedEvent['event']> = Extract<TimedEvent, { event: Name }>;

const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`;

/** E.g. `20:12:03  update     round 1: client 0: loss 0.4312, accuracy 0.8712, 400 examples  3.2 s`; by UTC. */
export function eventText(value: unknown): string {
  const { success, data } = metricsEventSchema.safeParse(value);
  // Of a later version, or damaged: it is shown as it is.
  if (!success) return inOneLine(JSON.stringify(value));
  return inOneLine(`${data.time.slice(11, 19)}  ${data.event.padEnd(NAME)} ${words(data)}`);
}

function words(event: TimedEvent): string {
  switch (event.event) {
    case 'start':
      return startWords(event);
    case 'split':
      return `${count(event.shards, 'shard')}  ${formatSeconds(event.seconds)}`;
    case 'update':
      return updateWords(event);
    case 'updates':
      return `round ${event.round}: ${count(event.clients, 'client')}${learned(event)}  ${formatSeconds(event.seconds)}`;
    case 'retry':
      return `round ${event.round}: client ${event.client}, retry ${event.retry}: ${event.reason}`;
    case 'missing':
      return `round ${event.round}: client ${event.client}: ${event.reason}`;
    case 'rejected':
      return `round ${event.round}: ${rejections(event.rejected)}`;
    case 'aggregate':
      return aggregateWords(event);
    case 'evaluation': {
      const { metric, value } = leadingFigure(event);
      const leading = metric === 'loss' ? '' : `${metric} ${value.toFixed(4)}, `;
      return `round ${event.round}: ${leading}loss ${formatLoss(event.loss)}  ${formatSeconds(event.seconds)}`;
    }
    case 'round':
      return roundWords(event);
    case 'end':
      return `${count(event.rounds, 'round')}, best in round ${event.best.round}  ${formatSeconds(event.seconds.total)}`;
    case 'failure':
      return `${placeOfFailure(event)}, exit code ${event.exitCode}: ${event.reason} ${event.next}`;
  }
}

function startWords({ time, id, resumed, settings }: EventOf<'start'>): string {
  const { clients, rounds } = settings.federation;
  const plan = `${count(clients, 'client')}, ${count(rounds, 'round')}`;
  return `${time.slice(0, 10)}: ${resumed ? 'going on with ' : ''}${id}, ${plan}`;
}

function updateWords({ round, client, examples, seconds, ...found }: EventOf<'update'>): string {
  return `round ${round}: client ${client}${learned(found)}, ${count(examples, 'example')}  ${formatSeconds(seconds)}`;
}

/** What the last epoch showed. */
function learned({
  loss,
  accuracy,
}: {
  readonly loss?: number | null | undefined;
  readonly accuracy?: number | undefined;
}) {
  const lossText = loss === undefined ? '' : `, loss ${formatLoss(loss)}`;
  return `${lossText}${accuracy === undefined ? '' : `, accuracy ${accuracy.toFixed(4)}`}`;
}

function aggregateWords({
  round,
  updates,
  examples,
  rejected,
  clients,
  clipNorm,
  seconds,
}: EventOf<'aggregate'>): string {
  const refused = rejected.length === 0 ? '' : `, rejected ${rejections(rejected)}`;
  const norms = rangeOf(
    'norms',
    clients?.map(({ norm }) => norm),
  );
  const cosines = rangeOf(
    'cosines',
    clients?.flatMap(({ cosine = [] }) => cosine),
  );
  const clipped = clipNorm === undefined ? '' : `, clipped to ${Number(clipNorm.toPrecision(3))}`;
  const odd = describeOddUpdates(clients ?? []);
  const unlike = odd === undefined ? '' : `, ${odd}`;
  const what = `${count(updates, 'update')}, ${count(examples, 'example')}${norms}${clipped}${cosines}${refused}${unlike}`;
  return `round ${round}: ${what}  ${formatSeconds(seconds)}`;
}

/** E.g. `, norms 0.52 to 0.91`. */
function rangeOf(what: string, values: readonly number[] = []): string {
  if (values.length === 0) return '';
  const text = (value: number) => `${Number(value.toPrecision(3))}`;
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  return `, ${what} ${text(least)} to ${text(most)}`;
}

function rejections(rejected: EventOf<'rejected'>['rejected']): string {
  return rejected
    .map((each) => `${'client' in each ? `client ${each.client}` : each.file}: ${each.reason}`)
    .join('; ');
}

function roundWords({ round, selected, reported, rejected, missing, seconds }: EventOf<'round'>): string {
  const lost = [
    ...(rejected > 0 ? [`${rejected} rejected`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
  ].map((each) => `, ${each}`);
  const total = seconds.train + seconds.aggregate + seconds.evaluate;
  return `${round}: ${reported} of ${count(selected, 'client')} reported${lost.join('')}  ${formatSeconds(total)}`;
}

/** What a record holds ends no line, and begins none that somebody might take for one of ours. */
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/** The text with a space in place of each run of control characters. */
export const inOneLine = (text: string): string => text.replace(CONTROL, ' ');

/** How lines begin, and how long they are. */
interface WrapOptions {
  /** In front of the first line; the others are indented by as much. */
  readonly title: string;
  readonly width: number;
}

/** Lines of at most `width` letters, broken at spaces; a longer word stays whole. */
export function wrapped(text: string, { title, width }: WrapOptions): readonly string[] {
  const lines: string[] = [];
  let line = title;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      [line, isEmpty] = [' '.repeat(title.length), true];
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
