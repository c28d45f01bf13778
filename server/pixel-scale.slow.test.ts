/** A model is served the same whatever numbers are black and white to it: by upload, API and client. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { execa } from 'execa';
import { scaleOf } from '../lib/federation/pixel-scale.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { listenAt } from '../lib/http/listen.js';
import { runCommand } from '../test/program-host.js';
import { lastLine, programPath } from '../test/programs.js';
import { sharedDirectory } from '../test/temporary-directory.js';
import { createWebApp } from './app.js';
import { createWorkerPredictor } from './models/worker-predictor.js';
import { writePrototypeModel } from './testing/prototype-model.js';
import { digitPng } from './testing/segment-digits.js';
import { type UploadAnswer, upload } from './testing/served-app.js';

interface Served {
  readonly url: string;
  close(): Promise<void> | void;
}

/** Serves a model in this process. */
async function serveHere(modelPath: string): Promise<Served> {
  const predictor = await createWorkerPredictor({ modelPath, threads: 1 });
  const server = await listenAt(createWebApp({ predictor }), { host: '127.0.0.1', port: 0 });
  return {
    url: server.url,
    async close() {
      await server.close();
      await predictor.close();
    },
  };
}

/** Starts `fedbatch serve` on free ports. */
async function serve(
  model: string,
  ...flags: readonly string[]
): Promise<Served & { readonly grpcPort: string; readonly said: () => string }> {
  const ports = ['--port', '0', '--grpc-port', '0', '--workers', '1'];
  const child = execa(process.execPath, [programPath('server/cli'), '--model', model, ...ports, ...flags], {
    reject: false,
  });
  let [out, said] = ['', ''];
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  for await (const chunk of child.stdout) {
    out += chunk;
    const [, url] = /^Listening on (\S+)$/m.exec(out) ?? [];
    const [, grpcPort] = /^Listening for gRPC on \S+:(\d+)$/m.exec(out) ?? [];
    if (url === undefined || grpcPort === undefined) continue;
    return { url, grpcPort, said: () => said, close: () => void child.kill() };
  }
  throw new Error(said);
}

/** What answers have in common. */
type Likely = Pick<UploadAnswer, 'prediction' | 'probabilities'> & Partial<Pick<UploadAnswer, 'pixels'>>;

const SCALES = ['-1..1', '-0.4242..2.8215', '0..16', '1..0'];

describe('a model of another scale', () => {
  let directory: string;
  let usual: Served;
  const path = (name: string) => join(directory, name);

  /** The same model for pixels of another scale: exactly, since its only layer is linear. */
  async function writeScaled(text: string, name: string, attribute: boolean): Promise<string> {
    const file = await readKerasFile(path('usual.h5'));
    const { black, white } = scaleOf(text);
    const [low, range] = [black[0] as number, (white[0] as number) - (black[0] as number)];
    const [kernel, bias] = file.weights;
    if (kernel === undefined || bias === undefined) throw new Error('no dense layer');
    const scaled = kernel.values.map((value) => value / range);
    const shifted = bias.values.map((value, unit) => {
      let sum = value;
      for (let at = unit; at < scaled.length; at += bias.values.length) sum -= (scaled[at] as number) * low;
      return sum;
    });
    const weights = [
      { ...kernel, values: scaled },
      { ...bias, values: shifted },
    ];
    await writeKerasFile(path(name), { ...file, weights, ...(attribute ? { scale: text } : {}) });
    return path(name);
  }

  const answers = async ({ url }: Served) => {
    const all: UploadAnswer[] = [];
    for (let digit = 0; digit < 10; digit++) {
      const png = await digitPng(digit, {});
      all.push((await (await upload(url, png)).json()) as UploadAnswer);
    }
    return all;
  };

  const assertAlike = (found: readonly Likely[], wanted: readonly Likely[]) => {
    for (const [index, answer] of found.entries()) {
      const { prediction, probabilities, pixels } = wanted[index] as Likely;
      assert.equal(answer.prediction, prediction);
      if (answer.pixels !== undefined) assert.deepEqual(answer.pixels, pixels);
      for (const [label, share] of answer.probabilities.entries())
        assert.ok(Math.abs(share - (probabilities[label] as number)) < 2e-3, `${index}: ${share}`);
    }
  };

  before(async () => {
    directory = sharedDirectory();
    await writePrototypeModel(path('usual.h5'));
    await writeFile(path('4.png'), await digitPng(4));
    usual = await serveHere(path('usual.h5'));
  });
  after(() => usual.close());

  it('gives the same answers to uploads, whichever numbers are black and white to it', async () => {
    const wanted = await answers(usual);
    assert.deepEqual(
      wanted.map(({ prediction }) => prediction),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    for (const scale of SCALES) {
      const served = await serveHere(await writeScaled(scale, 'scaled.h5', true));
      try {
        assertAlike(await answers(served), wanted);
      } finally {
        await served.close();
      }
    }
  });

  it('is told by metadata, and asked rightly by the client, with whole numbers and by --scale', async () => {
    const said = await serve(await writeScaled('-1..1', 'aggregated-model.h5', true));
    try {
      assert.match(said.said(), /answers on \S+ \(.*\), pixels from -1 to 1\.$/m);
      const get = async (address: string) => (await (await fetch(`${said.url}${address}`)).json()) as never;
      const model: { scale: unknown } = await get('/model');
      assert.deepEqual(model.scale, { black: [-1], white: [1] });
      const v1: { metadata: Record<string, unknown> } = await get('/v1/models/aggregated-model/metadata');
      assert.equal(v1.metadata.fedbatch_scale, '-1..1');
      const v2: { properties: unknown } = await get('/v2/models/aggregated-model');
      assert.deepEqual(v2.properties, { fedbatch_scale: '-1..1' });

      const predict = async (...flags: readonly string[]) => {
        const { stdout, stderr } = await runCommand('predict', ['--image', path('4.png'), ...flags]);
        assert.equal(stderr, '');
        return JSON.parse(lastLine(stdout)) as Likely;
      };
      const { port } = new URL(said.url);
      const [wanted] = [(await (await upload(usual.url, await digitPng(4))).json()) as UploadAnswer];
      assertAlike([await predict('--port', port)], [wanted]);
      const grpc = ['--port', said.grpcPort, '--protocol', 'grpc'];
      assertAlike([await predict(...grpc)], [wanted]);

      // Grey levels are pixels, floats are the model's own numbers.
      const infer = async (datatype: string, data: readonly number[]) => {
        const inputs = [{ name: 'x', datatype, shape: [1, 28, 28], data }];
        const response = await fetch(`${said.url}/v2/models/aggregated-model/infer`, {
          method: 'POST',
          body: JSON.stringify({ inputs }),
        });
        const answer = (await response.json()) as { outputs: readonly [{ data: readonly number[] }] };
        return { prediction: 4, probabilities: answer.outputs[0].data };
      };
      const levels = wanted.pixels.flat();
      const expected = [wanted];
      assertAlike([await infer('UINT8', levels)], expected);
      assertAlike(
        [
          await infer(
            'FP32',
            levels.map((level) => (level / 255) * 2 - 1),
          ),
        ],
        expected,
      );
    } finally {
      await said.close();
    }

    const silent = await serve(await writeScaled('0..16', 'silent.h5', false), '--scale', '0..16');
    try {
      assertAlike(await answers(silent), await answers(usual));
      assert.match(silent.said(), /pixels from 0 to 16\.$/m);
    } finally {
      await silent.close();
    }
    const refused = await runCommand('serve', ['--model', path('silent.h5'), '--scale', '0-16']);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /Expected auto, or two different numbers such as -1\.\.1, .* found "0-16"/);
  });
});
