/** Predictions a second over HTTP on loopback, the loader on the same cores; beside Flask with Keras on the same model. */
import { formatBytes } from '../lib/observability/format.js';
import { interleave } from './measure.js';
import { availablePeers, prepareFlask } from './peers.js';
import { formatRatio, medianOf, ratioByRound, type Table } from './report.js';
import { type BenchOptions, peerScript, withDirectory } from './section.js';
import {
  CONNECTIONS,
  drive,
  type Load,
  serveArguments,
  withServer,
  writeBodies,
  writeModel,
} from './serve-load.js';

/** What one server did under load. */
export interface ServeFigures {
  readonly perSecond: number;
  /** At half of the reached load. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the server for each request: what other programs on the machine cannot change much. */
  readonly cpuMs: number;
  readonly peakBytes: number;
}

const WARM_UP_SECONDS = 3;
const SECONDS = 8;
/** JSON predictions on both sides, uploads of small PNGs on ours. */
export async function benchServe({ rounds, journal }: BenchOptions): Promise<Table> {
  const { peers, notes } = await availablePeers({ flask: prepareFlask });
  const { flask } = peers;
  return withDirectory(async (directory) => {
    const model = await writeModel(directory);
    const [predict, upload] = await writeBodies(directory);
    const ours = serveArguments(model);
    const theirs = [peerScript('flask_server.py'), '--model', model];
    const sides: Record<string, () => Promise<ServeFigures>> = {
      'predict, fedbatch': () => measureServer(process.execPath, ours, predict),
      ...(flask === undefined
        ? {}
        : { [`predict, ${flask.name}`]: () => measureServer(flask.command, theirs, predict) }),
      'upload a PNG, fedbatch': () => measureServer(process.execPath, ours, upload),
    };
    return {
      header: [
        'request, server',
        'a second',
        'fedbatch is',
        'median at half load',
        'p99 at half load',
        'CPU a request',
        'peak memory',
      ],
      rows: serveRows(await interleave({ rounds, journal, name: 'serve' }, sides)),
      notes: [
        ...notes,
        `One 28×28 picture a request, ${CONNECTIONS} connections kept alive, the loader on the same cores; the CNN.`,
      ],
    };
  });
}

/** A row for each side; the speed of `fedbatch` as a multiple of the other server's, round by round. */
export function serveRows(samples: Readonly<Record<string, readonly ServeFigures[]>>): readonly string[][] {
  const speeds = (side: string) => (samples[side] ?? []).map(({ perSecond }) => perSecond);
  return Object.entries(samples).map(([side, each]) => [
    side,
    Math.round(medianOf(each, ({ perSecond }) => perSecond)).toLocaleString('en'),
    side.endsWith('fedbatch')
      ? ''
      : `${formatRatio(ratioByRound(speeds('predict, fedbatch'), speeds(side)))} as fast`,
    `${medianOf(each, ({ p50Ms }) => p50Ms)} ms`,
    `${medianOf(each, ({ p99Ms }) => p99Ms)} ms`,
    `${medianOf(each, ({ cpuMs }) => cpuMs).toFixed(2)} ms`,
    formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
  ]);
}

/** What a server does with a load: as much as it takes, then half of that. */
export async function measureServer(
  command: string,
  args: readonly string[],
  load: Load,
): Promise<ServeFigures> {
  return withServer({ command, args }, async ({ url, cpuMs, memory }) => {
    await drive(url, load, WARM_UP_SECONDS);
    const before = cpuMs();
    const full = await drive(url, load, SECONDS);
    const used = cpuMs() - before;
    const half = await drive(url, load, SECONDS, Math.max(1, Math.round(full.requests.average / 2)));
    return {
      perSecond: full.requests.average,
      p50Ms: half.latency.p50,
      p99Ms: half.latency.p99,
      cpuMs: used / full.requests.total,
      peakBytes: memory().peak,
    };
  });
}
