/** What it costs a run to be watched: by each watcher alone, and by all of them together. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { interleave } from './measure.js';
import { medianOf, type Table } from './report.js';
import { type BenchOptions, fedbatch, withDirectory } from './section.js';

/** The run: short, with a small model, so that what watches is a larger part of it than of one that people wait for. */
const RUN = ['run', '--model', 'mlp', '--clients', '5', '--rounds', '10', '--epochs', '1'] as const;

/** The same run, unwatched and watched, in turn. */
export async function benchWatching({ rounds, journal }: BenchOptions): Promise<Table> {
  const mlflow = await readyServer();
  try {
    return await withDirectory(async (directory) => {
      let fresh = 0;
      const run = (...options: readonly string[]) =>
        fedbatch(...RUN, ...options, '--volume', join(directory, `${fresh++}`));
      const watchers: Readonly<Record<string, readonly string[]>> = {
        'TensorBoard (`--tensorboard`)': ['--tensorboard'],
        'MLflow (`--mlflow`)': ['--mlflow', mlflow.url],
        'Prometheus (`--metrics-port`)': ['--metrics-port', '0'],
        'a program (`--on-event`)': ['--on-event', 'cat >/dev/null'],
      };
      const samples = await interleave(
        { rounds, journal, name: 'watching' },
        {
          nobody: () => run(),
          ...Object.fromEntries(
            Object.entries(watchers).map(([name, options]) => [name, () => run(...options)]),
          ),
          'all of them': () => run(...Object.values(watchers).flat()),
        },
      );
      const alone = medianOf(samples.nobody ?? [], ({ seconds }) => seconds);
      const rows = Object.entries(samples).map(([name, each]) => {
        const seconds = medianOf(each, (sample) => sample.seconds);
        return [name, `${seconds.toFixed(2)} s`, (seconds / alone).toFixed(3)];
      });
      return { header: ['who watches', 'wall time of the run', 'of that of nobody'], rows };
    });
  } finally {
    mlflow.close();
  }
}

/** Takes whatever MLflow takes, at once: what is measured is what the run does, and not a server beside it. */
async function readyServer(): Promise<{ readonly url: string; close(): void }> {
  const run = { info: { run_id: 'bench', artifact_uri: 'mlflow-artifacts:/bench' }, data: {} };
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json');
      const path = request.url ?? '';
      if (path.includes('/runs/search')) response.end('{"runs":[]}');
      else if (path.includes('/runs/')) response.end(JSON.stringify({ run, run_info: run.info }));
      else if (path.includes('/experiments/'))
        response.end(
          JSON.stringify({ experiment_id: '1', experiment: { experiment_id: '1', name: 'fedbatch' } }),
        );
      else response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
