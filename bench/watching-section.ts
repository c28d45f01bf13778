/** What it costs a run to be watched by all that can watch one. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { endedProcessesSeconds, interleave } from './measure.js';
import { medianOf, ratioByRound, type Table } from './report.js';
import { type BenchOptions, fedbatch, withDirectory } from './section.js';

/** The run: the default model, on two processors some two minutes long. */
const RUN = ['run', '--clients', '5', '--rounds', '10'] as const;

/** The same run, watched by nobody and by everything there is, in turn. */
export async function benchWatching({ rounds, journal }: BenchOptions): Promise<Table> {
  const mlflow = await readyServer();
  const everything = [
    '--tensorboard',
    '--mlflow',
    mlflow.url,
    '--metrics-port',
    '0',
    '--on-event',
    'cat >/dev/null',
  ];
  try {
    return await withDirectory(async (directory) => {
      let fresh = 0;
      const run = async (...options: readonly string[]) => {
        const before = endedProcessesSeconds();
        const volume = join(directory, `${fresh++}`);
        const { seconds, ownProcessorSeconds: own } = await fedbatch(...RUN, ...options, '--volume', volume);
        return { seconds, processorSeconds: endedProcessesSeconds() - before, own };
      };
      const sides = { nobody: () => run(), everything: () => run(...everything) };
      const { nobody = [], everything: all = [] } = await interleave(
        { rounds, journal, name: 'watching' },
        sides,
      );
      const figures = ['seconds', 'processorSeconds', 'own'] as const;
      const median = (samples: typeof nobody, figure: (typeof figures)[number]) =>
        medianOf(samples, (sample) => sample[figure]);
      const row = (name: string, samples: typeof nobody) => [
        name,
        ...figures.map((figure) => `${median(samples, figure).toFixed(2)} s`),
      ];
      const ratios = figures.map((figure) =>
        ratioByRound(
          all.map((sample) => sample[figure]),
          nobody.map((sample) => sample[figure]),
        ).toFixed(3),
      );
      // All that watches is at work in the program of the run itself; what trains is beside it, and too noisy to see 1 % in.
      const added = (median(all, 'own') - median(nobody, 'own')) / median(nobody, 'processorSeconds');
      return {
        header: ['who watches', 'wall time of the run', 'processor time', "that of the run's own program"],
        rows: [
          row('nobody', nobody),
          row('TensorBoard, MLflow, Prometheus and a program, all at once', all),
          ['the second of the first', ...ratios],
          [
            "what watching adds to the run's own program, of all processor time",
            '',
            '',
            `${(100 * added).toFixed(2)} %`,
          ],
        ],
      };
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
