/** What MLflow is told of a run: events → metrics with their round as the step, settings → parameters, all within MLflow's limits. */
import { basename } from 'node:path';
import type { TimedEvent } from '../../lib/formats/metrics-event.js';
import type { ClientRecord, RunRecord } from '../../lib/formats/run-record.js';
import { flatSettings } from '../../lib/settings/differences.js';
import { isIdle, SETTINGS } from '../../lib/settings/table.js';

/** A metric as MLflow takes it. JSON has no NaN: the word stands for it. */
export interface MetricPoint {
  readonly key: string;
  readonly value: number | 'NaN';
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** The round. */
  readonly step: number;
}

/** A parameter or a tag as MLflow takes it. */
export interface NamedText {
  readonly key: string;
  readonly value: string;
}

/** What every server takes: the first versions refused longer values of parameters. */
const LONGEST = { key: 250, parameter: 500, tag: 5000 } as const;

/** Told by the event of the round, or of no use as a number. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  update: ['client', 'round'],
  updates: ['clients', 'round', 'examples', 'seconds'],
  aggregate: ['round', 'updates', 'examples', 'seconds', 'clients'],
  evaluation: ['round', 'accuracy', 'loss', 'metrics', 'examples', 'seconds'],
  round: ['round'],
};

/** Every number of an event under the name that it has there, below that of the client where it is a client's. */
export function pointsOf(event: TimedEvent): readonly MetricPoint[] {
  const leftOut = LEFT_OUT[event.event];
  if (leftOut === undefined || !('round' in event) || event.round === undefined) return [];
  const at = { timestamp: Date.parse(event.time), step: event.round };
  const { learningRate, ...told } = Object.fromEntries(
    Object.entries(event).filter(([name]) => !leftOut.includes(name)),
  );
  // What clients found while they trained is no test of the global model.
  const own = event.event === 'updates' ? { training: told } : told;
  return [
    ...toPoints({ learningRate }, at),
    ...(event.event === 'update' ? clientPoints(event.client, told, at) : toPoints(own, at)),
    ...(event.event === 'aggregate' ? ofClients(event.clients ?? [], at) : []),
  ];
}

/** What a simulation tells of its clients, whose events count them only. */
export function simulatedPoints(
  { time, round }: { readonly time: string; readonly round: number },
  reported: readonly ClientRecord[],
): readonly MetricPoint[] {
  const at = { timestamp: Date.parse(time), step: round };
  return ofClients(reported, at);
}

const ofClients = (told: readonly { readonly client: number }[], at: At) =>
  told.flatMap(({ client, ...own }) => clientPoints(client, own, at));

/** What several runs came to together. */
export function figurePoints(
  figures: Readonly<Record<string, number>>,
  timestamp: number,
): readonly MetricPoint[] {
  return toPoints(figures, { timestamp, step: 0 });
}

type At = Pick<MetricPoint, 'timestamp' | 'step'>;

const clientPoints = (client: number, own: object, at: At) => toPoints({ [`client-${client}`]: own }, at);

function toPoints(told: object, at: At): readonly MetricPoint[] {
  return [...numbersOf(told, '')].map(([name, value]) => ({ key: keyOf(name), value, ...at }));
}

/** Lists hold too much for a chart; a loss that is null was not finite. */
function* numbersOf(told: object, prefix: string): Generator<readonly [name: string, value: number | 'NaN']> {
  for (const [name, value] of Object.entries(told) as readonly (readonly [string, unknown])[]) {
    const place = prefix + name;
    if (typeof value === 'number') yield [place, Number.isFinite(value) ? value : 'NaN'];
    else if (value === null && name === 'loss') yield [place, 'NaN'];
    else if (typeof value === 'object' && value !== null && !Array.isArray(value))
      yield* numbersOf(value, `${place}/`);
  }
}

/** A name that MLflow takes: letters, digits and `_-. /`, and a path that is none of a parent. */
function keyOf(name: string): string {
  const parts = name
    .replaceAll(/[^\p{L}\p{N}_\-. /]/gu, '_')
    .split('/')
    .map((part) => part.trim().replace(/^\.+$/, '_'))
    .filter((part) => part !== '');
  return cut(parts.join('/') || '_', LONGEST.key);
}

/** The settings of a run that applied, by their places. Paths say where a machine keeps its files; their names say enough. */
export function parametersOf({
  settings,
  threads,
}: Pick<RunRecord, 'settings' | 'threads'>): readonly NamedText[] {
  return [...Object.entries(flatSettings(settings)), ['threads', threads] as const]
    .filter(([place, value]) => value !== undefined && !isIdle(place, settings))
    .map(([place, value]) => {
      const text = isFile(place) ? basename(`${value}`) : `${value}`;
      return { key: keyOf(place), value: cut(text, LONGEST.parameter) };
    });
}

const isFile = (at: string) => SETTINGS.some(({ place, isFile: isOne }) => place === at && isOne === true);

/** A tag. */
export function tagOf(key: string, value: string): NamedText {
  return { key, value: cut(value, LONGEST.tag) };
}

/** Letters that count as one here count as two there at most. */
const cut = (text: string, length: number) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
