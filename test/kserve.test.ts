/** What KServe makes of the ServingRuntime and the InferenceService answers as KServe asks: probes, both protocols, a newer model. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { V1Container } from '@kubernetes/client-node';
import { execa } from 'execa';
import { fillTemplate } from '../k8s/manifests/templates.js';
import { writePrototypeModel } from '../server/testing/prototype-model.js';
import { programPath } from './programs.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Where KServe mounts what `storageUri` names, and the placeholder that it fills with the name of the service. */
const MOUNT = '/mnt/models';
const NAME = '{{.Name}}';

interface Objects {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly containers: readonly V1Container[];
    readonly predictor: {
      readonly automountServiceAccountToken: boolean;
      readonly model: { readonly runtime: string; readonly storageUri: string };
    };
  };
}

interface Answer {
  readonly predictions?: readonly (readonly number[])[];
  readonly outputs?: readonly { readonly shape: readonly number[] }[];
}

test('the pod of the InferenceService waits for the model, is ready, and predicts by versions 1 and 2', async (t) => {
  const [runtime, service] = fillTemplate('kserve', {}) as unknown as readonly [Objects, Objects];
  const { model, automountServiceAccountToken } = service.spec.predictor;
  assert.equal(automountServiceAccountToken, false);
  assert.equal(model.runtime, runtime.metadata.name);
  // A claim that is mounted as a whole, so that the model is below the mount and not the mount itself.
  assert.equal(model.storageUri, 'pvc://fedbatch');
  const [container] = runtime.spec.containers;
  assert.equal(container?.name, 'kserve-container');
  const { args = [], ports = [], readinessProbe, livenessProbe } = container;
  const port = ports[0]?.containerPort;
  assert.ok(ports.length === 1 && args.includes(`--port=${port}`) && args.includes('--host=0.0.0.0'));
  for (const probe of [readinessProbe, livenessProbe]) assert.equal(probe?.httpGet?.port, port);

  const directory = join(await temporaryDirectory(t), 'models');
  await mkdir(directory);
  const words = args
    .filter((word) => !/^--(port|host)=/.test(word))
    .map((word) => word.replace(MOUNT, directory).replace(NAME, service.metadata.name));
  const more = ['--port=0', '--reload-interval=0.05', '--workers=1'];
  const running = execa(process.execPath, [programPath('server/cli'), ...words, ...more], { reject: false });
  t.after(() => running.kill('SIGTERM'));
  const listening = createInterface(running.stdout)[Symbol.asyncIterator]();
  const url = /^Listening on (.*)$/.exec(`${(await listening.next()).value}`)?.[1];
  const status = async (path: string | undefined) => (await fetch(`${url}${path}`)).status;
  assert.equal(await status(livenessProbe?.httpGet?.path), 200);
  assert.equal(await status(readinessProbe?.httpGet?.path), 503);

  await writePrototypeModel(join(directory, 'aggregated-model.h5'));
  while ((await status(readinessProbe?.httpGet?.path)) !== 200) await delay(20);
  const { name } = service.metadata;
  for (const path of [`/v1/models/${name}`, `/v2/models/${name}`, `/v2/models/${name}/ready`])
    assert.equal(await status(path), 200, path);
  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(response.status, 200, path);
    return (await response.json()) as Answer;
  };
  const image = Array.from({ length: 28 }, () => Array.from({ length: 28 }, () => [0]));
  const { predictions } = await post(`/v1/models/${name}:predict`, { instances: [image] });
  assert.equal(predictions?.[0]?.length, 10);
  const tensor = { name: 'x', shape: [1, 28, 28, 1], datatype: 'FP32', data: image.flat(2) };
  const { outputs } = await post(`/v2/models/${name}/infer`, { inputs: [tensor] });
  assert.deepEqual(outputs?.[0]?.shape, [1, 10]);
  assert.equal(await status('/metrics'), 200);
});
