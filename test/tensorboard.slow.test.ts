/**
 * The real TensorBoard opens what is written: its own readers find scalars, histograms, pictures and hyper-parameters, and
 * its server tells them. The slow tier, see scripts/interop-tensorboard.sh.
 */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { volumePaths } from '../lib/formats/volume.js';
import { skipWithoutChromium, startChromium } from '../server/testing/chromium.js';
import { writeTinyDataset } from './datasets.js';
import { readEventFile, scalarsOf } from './event-files.js';
import { runProgramFile } from './programs.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

/** A Python with TensorBoard. */
const python = process.env.FEDBATCH_TENSORBOARD_PYTHON ?? '';
const skip = python === '' && 'scripts/interop-tensorboard.sh runs this with TensorBoard from PyPI';

/** What TensorBoard's own reader finds in a folder of logs. */
const READ = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from google.protobuf.json_format import MessageToDict
log = EventAccumulator(sys.argv[1], size_guidance=dict(scalars=0, histograms=0, images=0))
log.Reload()
tags = log.Tags()
content = log.summary_metadata["_hparams_/session_start_info"].plugin_data.content if "_hparams_/session_start_info" in log.summary_metadata else b""
data = plugin_data_pb2.HParamsPluginData.FromString(content)
print(json.dumps(dict(
    scalars={t: [[e.step, e.value if e.value == e.value else None, e.wall_time] for e in log.Scalars(t)] for t in tags["scalars"]},
    histograms={t: [[e.step, e.histogram_value.num, sum(e.histogram_value.bucket), e.histogram_value.min, e.histogram_value.max] for e in log.Histograms(t)] for t in tags["histograms"]},
    images={t: [[e.step, e.width, e.height, e.encoded_image_string[:4].hex()] for e in log.Images(t)] for t in tags["images"]},
    hparams=MessageToDict(data.session_start_info, preserving_proto_field_name=True).get("hparams", {}))))`;

interface Read {
  readonly scalars: Readonly<
    Record<string, readonly (readonly [step: number, value: number | null, time: number])[]>
  >;
  readonly histograms: Readonly<
    Record<
      string,
      readonly (readonly [step: number, num: number, counted: number, min: number, max: number])[]
    >
  >;
  readonly images: Readonly<Record<string, readonly (readonly [number, number, number, string])[]>>;
  readonly hparams: Readonly<Record<string, unknown>>;
}

const CLIENTS = 3;
const ROUNDS = 3;

describe('the real TensorBoard', async () => {
  const directory = sharedDirectory();
  const volume = join(directory, 'run');
  const paths = volumePaths(volume);

  before(async () => {
    if (skip !== false) return;
    const data = await writeTinyDataset(directory, 600);
    const flags = ['--clients', `${CLIENTS}`, '--rounds', `${ROUNDS}`, '--batch', '20', '--threads', '1'];
    const { exitCode, stderr } = await runProgramFile('cli', [
      ...['run', '--data', data, '--volume', volume, '--model', 'mlp', '--tensorboard', '--json'],
      ...flags,
    ]);
    assert.equal(exitCode, 0, stderr);
  });

  it('reads scalars, histograms, pictures and hyper-parameters as we do', { skip }, async () => {
    const { stdout } = await execa(python, ['-c', READ, join(paths.logs, 'global')]);
    const read = JSON.parse(stdout) as Read;
    const own = readEventFile(paths.eventFile('global'));
    assert.ok(Object.keys(read.scalars).length >= 10, Object.keys(read.scalars).join());
    for (const [tag, points] of Object.entries(read.scalars)) {
      assert.deepEqual(
        points.map(([step, value]) => [step, value ?? Number.NaN]),
        scalarsOf(own, tag),
        tag,
      );
      assert.equal(points.length, ROUNDS, tag);
    }
    const accuracies = read.scalars['test/accuracy'] ?? [];
    assert.ok((accuracies.at(-1)?.[1] ?? 0) > (accuracies[0]?.[1] ?? 1));
    assert.ok(Object.keys(read.histograms).every((tag) => tag.startsWith('weights/')));
    for (const [tag, each] of Object.entries(read.histograms)) {
      assert.equal(each.length, ROUNDS + 1, tag);
      for (const [, num, counted] of each) assert.equal(num, counted, tag);
    }
    const confusion = read.images['test/confusion'] ?? [];
    assert.deepEqual(
      confusion.map(([step]) => step),
      Array.from({ length: ROUNDS }, (_, at) => at + 1),
    );
    assert.ok(
      confusion.every(([, width, height, begin]) => width > 50 && height > 50 && begin === '89504e47'),
    );
    assert.equal(read.hparams['federation.clients'], CLIENTS);
    assert.equal(read.hparams['model.name'], 'mlp');
    for (let client = 0; client < CLIENTS; client++) {
      const { stdout: text } = await execa(python, ['-c', READ, join(paths.logs, `client-${client}`)]);
      const { scalars } = JSON.parse(text) as Read;
      assert.equal(scalars['training/loss']?.length, ROUNDS);
    }
  });

  it('serves them', { skip, timeout: 180_000 }, async (t) => {
    const server = execa(
      python,
      [
        ...['-m', 'tensorboard.main', '--logdir', volume, '--host', '127.0.0.1', '--port', '0'],
        ...['--reload_interval', '1'],
      ],
      { reject: false, env: { HOME: directory, TMPDIR: directory } },
    );
    t.after(async () => {
      server.kill('SIGTERM');
      await server;
    });
    const port = await portOf(server.stderr);
    const ask = async <T>(path: string, body?: object): Promise<T> => {
      const answer = await fetch(`http://127.0.0.1:${port}/data/${path}`, {
        ...(body === undefined
          ? {}
          : {
              method: 'POST',
              body: JSON.stringify(body),
              headers: { 'content-type': 'application/json' },
            }),
      });
      assert.equal(answer.status, 200, `${path}: ${answer.status}`);
      return (await answer.json()) as T;
    };
    const runs = ['logs/global', ...Array.from({ length: CLIENTS }, (_, client) => `logs/client-${client}`)];
    while ((await ask<readonly string[]>('runs')).length < runs.length) await sleep(500);
    assert.deepEqual([...(await ask<readonly string[]>('runs'))].sort(), [...runs].sort());
    assert.ok(await ask<object>('environment'));
    const points = await ask<readonly (readonly [time: number, step: number, value: number])[]>(
      'plugin/scalars/scalars?run=logs%2Fglobal&tag=test%2Floss',
    );
    assert.deepEqual(
      points.map(([, step, value]) => [step, value]),
      scalarsOf(readEventFile(paths.eventFile('global')), 'test/loss'),
    );
    const images =
      await ask<Readonly<Record<string, Readonly<Record<string, object>>>>>('plugin/images/tags');
    assert.ok('test/confusion' in (images['logs/global'] ?? {}));
    const histograms =
      await ask<Readonly<Record<string, Readonly<Record<string, object>>>>>('plugin/histograms/tags');
    assert.ok(Object.keys(histograms['logs/global'] ?? {}).every((tag) => tag.startsWith('weights/')));
    const experiment = await ask<{ readonly hparamInfos: readonly { readonly name: string }[] }>(
      'plugin/hparams/experiment',
      { experiment_name: '' },
    );
    const names = experiment.hparamInfos.map(({ name }) => name);
    assert.ok(names.includes('training.batch') && names.includes('federation.clients'), names.join());
    if (process.env.FEDBATCH_SCREENSHOTS === '1' && skipWithoutChromium() === false) await picture(port);
  });
});

/** What a person sees first. */
async function picture(port: number): Promise<void> {
  const browser = await startChromium();
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
    await page.goto(`http://127.0.0.1:${port}/#timeseries`);
    await page.waitForSelector('scalar-card', { timeout: 60_000 });
    await page.waitForTimeout(5_000);
    await mkdir(join(projectRoot, 'test-artifacts'), { recursive: true });
    await writeFile(join(projectRoot, 'test-artifacts', 'tensorboard.png'), await page.screenshot());
  } finally {
    await browser.close();
  }
}

/** It says where it listens once it does. */
async function portOf(output: AsyncIterable<Buffer | string>): Promise<number> {
  let text = '';
  for await (const chunk of output) {
    text += chunk;
    const port = /at http:\/\/[^:]+:(\d+)/.exec(text)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`TensorBoard ended: ${text}`);
}
