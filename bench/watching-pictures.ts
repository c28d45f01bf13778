/**
 * `npm run pictures`: the pictures of docs/OBSERVING.md, of a real run that everything watches at once. TensorBoard and MLflow
 * come from the Pythons that FEDBATCH_TENSORBOARD_PYTHON and FEDBATCH_MLFLOW_PYTHON name, Prometheus from the PATH; what is
 * not there keeps its old picture, with a line that says so.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Page } from 'playwright-core';
import { startChromium } from '../server/testing/chromium.js';
import { freePort } from '../test/processes.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pictures = join(root, 'docs', 'pictures');
const cli = join(root, 'dist', 'cli.js');

/** The run that is shown. */
const CLIENTS = 5;
const ROUNDS = 10;

/** Width and height of a picture. */
const VIEW = { width: 1200, height: 800 };

/** What each program has to end before the folder goes. */
const running: { stop(): Promise<void> }[] = [];

/** Starts a program in a group of its own, and waits until it answers at the address. */
async function startServer(command: string, args: readonly string[], url: string): Promise<string> {
  const child = execa(command, args, { reject: false, detached: true, buffer: false, stdio: 'ignore' });
  running.push({
    async stop() {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
      await child;
    },
  });
  for (let attempt = 0; attempt < 240; attempt++) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    if (answer?.ok) return url;
    await sleep(500);
  }
  throw new Error(`${command} does not answer at ${url}`);
}

async function main(): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'fedbatch-pictures-'));
  const volume = join(home, 'runs', 'five-clients');
  const browser = await startChromium();
  try {
    await mkdir(pictures, { recursive: true });
    const { FEDBATCH_TENSORBOARD_PYTHON: tensorboard, FEDBATCH_MLFLOW_PYTHON: mlflow } = process.env;
    const [mlflowPort, metricsPort, watchPort] = [await freePort(), await freePort(), await freePort()];
    const mlflowUrl = `http://127.0.0.1:${mlflowPort}`;
    if (mlflow !== undefined) {
      const store = ['--backend-store-uri', `sqlite:///${home}/mlflow.db`];
      const place = ['--host', '127.0.0.1', '--port', `${mlflowPort}`, '--workers', '1'];
      const files = ['--artifacts-destination', join(home, 'artifacts')];
      await startServer(
        mlflow,
        ['-m', 'mlflow', 'server', ...place, ...store, ...files],
        `${mlflowUrl}/health`,
      );
    }
    const prometheus = await startPrometheus(home, metricsPort);
    await mkdir(join(home, 'runs'));
    const watch = `http://127.0.0.1:${watchPort}`;
    await startServer(
      process.execPath,
      [cli, 'watch', join(home, 'runs'), '--port', `${watchPort}`],
      `${watch}/`,
    );

    const photograph = async (
      name: string,
      url: string,
      ready: (page: Page) => Promise<unknown>,
    ): Promise<void> => {
      const page = await browser.newPage({ viewport: VIEW, colorScheme: 'light' });
      try {
        await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 120_000 });
        await ready(page);
        await writeFile(join(pictures, `${name}.png`), await page.screenshot());
        console.log(`docs/pictures/${name}.png`);
      } finally {
        await page.close();
      }
    };

    const asked = ['--tensorboard', '--metrics-port', `${metricsPort}`, '--name', 'five-clients'];
    const told = mlflow === undefined ? [] : ['--mlflow', mlflowUrl];
    const size = ['--clients', `${CLIENTS}`, '--rounds', `${ROUNDS}`, '--client-holdout', '0.1'];
    const run = execa(process.execPath, [cli, 'run', ...size, ...asked, ...told, '--volume', volume], {
      stderr: 'inherit',
    });
    // The live page in mid-run.
    await photograph('live', watch, async (page) => {
      await page.getByText('five-clients').first().click({ timeout: 120_000 });
      await page
        .getByText(/After [3-9] of/)
        .first()
        .waitFor({ timeout: 600_000 });
    });
    if (prometheus === undefined) console.log('skipped: prometheus.png: there is no prometheus on the PATH');
    await run;
    if (prometheus !== undefined) {
      await photograph('prometheus', prometheus, async (page) => {
        await page.locator('svg, canvas').first().waitFor({ timeout: 60_000 });
        await sleep(3_000);
      });
    }
    await photograph('report', `file://${volume}/report.html`, async () => undefined);
    if (tensorboard === undefined)
      console.log('skipped: tensorboard.png: FEDBATCH_TENSORBOARD_PYTHON is not set');
    else {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const place = ['--host', '127.0.0.1', '--port', `${port}`];
      await startServer(
        tensorboard,
        ['-m', 'tensorboard.main', '--logdir', join(volume, 'logs'), ...place],
        url,
      );
      await photograph('tensorboard', `${url}/#scalars`, async (page) => {
        await page.locator('.plottable, line-chart, canvas').first().waitFor({ timeout: 120_000 });
        await sleep(5_000);
      });
    }
    if (mlflow === undefined) console.log('skipped: mlflow.png: FEDBATCH_MLFLOW_PYTHON is not set');
    else {
      const found = await runOf(mlflowUrl);
      await photograph('mlflow', `${mlflowUrl}/#/experiments/${found}/model-metrics`, async (page) => {
        await page.getByText('accuracy').first().waitFor({ timeout: 120_000 });
        await page
          .getByRole('button', { name: 'Close' })
          .first()
          .click({ timeout: 5_000 })
          .catch(() => undefined);
        await sleep(5_000);
      });
    }
  } finally {
    await browser.close();
    await Promise.all(running.map((each) => each.stop()));
    await rm(home, { recursive: true, force: true });
  }
}

/** Starts Prometheus on the run's port; the address of its graph of the accuracy, or nothing where it is not installed. */
async function startPrometheus(home: string, metricsPort: number): Promise<string | undefined> {
  const { exitCode } = await execa('prometheus', ['--version'], { reject: false });
  if (exitCode !== 0) return undefined;
  const port = await freePort();
  const config = join(home, 'prometheus.yaml');
  await writeFile(
    config,
    `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: fedbatch, static_configs: [{ targets: ['127.0.0.1:${metricsPort}'] }] }]\n`,
  );
  const url = `http://127.0.0.1:${port}`;
  const place = [`--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${join(home, 'prometheus')}`];
  await startServer('prometheus', [`--config.file=${config}`, ...place], `${url}/-/ready`);
  const query = new URLSearchParams({
    'g0.expr': 'fedbatch_run_metric',
    'g0.tab': '0',
    'g0.range_input': '5m',
  });
  return `${url}/graph?${query}`;
}

/** The run on MLflow's server, as `<experiment>/runs/<run>`. */
async function runOf(url: string): Promise<string> {
  const ask = async (path: string, body?: object) => {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    };
    const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, body === undefined ? {} : init);
    return await answer.json();
  };
  const { experiment } = (await ask('experiments/get-by-name?experiment_name=fedbatch')) as {
    readonly experiment: { readonly experiment_id: string };
  };
  const { runs } = (await ask('runs/search', { experiment_ids: [experiment.experiment_id] })) as {
    readonly runs: readonly [{ readonly info: { readonly run_id: string } }];
  };
  return `${experiment.experiment_id}/runs/${runs[0].info.run_id}`;
}

await main();
