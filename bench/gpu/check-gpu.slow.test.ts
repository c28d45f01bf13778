/**
 * The checks for a machine with a card, done on Vulkan in software, in a folder that `scripts/check-gpu.sh dry-run`
 * prepares: without the repository, without a network, with an empty environment.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { projectRoot } from '../../test/sources.js';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { type Results, resultsSchema } from './report.js';

const folder = process.env.FEDBATCH_GPU_CHECKS ?? '';
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const SOFTWARE = { FEDBATCH_SOFTWARE_GPU: '1', VK_ICD_FILENAMES: DRIVER };

/** Ways to a place without a network, where something else lies over the repository; the last is none. */
const ISOLATIONS = [['unshare', '--mount', '--net'], ['unshare', '--map-root-user', '--mount', '--net'], []];
const HIDE = `mount -t tmpfs none '${projectRoot}' && exec "$@"`;

describe('the checks of a card', {
  skip: folder === '' && 'scripts/check-gpu.sh dry-run prepares them',
}, async () => {
  const directory = sharedDirectory();
  let runs = 0;

  const isolation = await firstThatWorks();
  const isolated = (command: string, args: readonly string[], env: Readonly<Record<string, string>>) =>
    execa(
      'env',
      [
        '-i',
        ...variablesOf({ PATH: '/usr/bin:/bin:/usr/sbin:/sbin', HOME: directory, ...env }),
        ...isolation,
        command,
        ...args,
      ],
      {
        cwd: directory,
        reject: false,
        all: true,
      },
    );
  const check = async (env: Readonly<Record<string, string>>): Promise<Results> => {
    const out = join(directory, `${runs++}`);
    const { exitCode, all } = await isolated(join(folder, 'run.sh'), [out, '--tiny', '--minutes', '15'], env);
    assert.equal(exitCode, 0, all);
    console.log(all);
    return resultsSchema.parse(JSON.parse(await readFile(join(out, 'results.json'), 'utf8')));
  };

  it('run without the repository and without a network', async (t) => {
    if (isolation.length === 0) {
      t.skip('unshare may not make a place of its own here');
      return;
    }
    const { stdout } = await isolated('sh', ['-c', `ls -A '${projectRoot}'; cat /proc/net/route`], {});
    assert.equal(stdout.trim().split('\n').length, 1, stdout);
  });

  it('do on both ways to WebGPU all that they do on a card', async () => {
    const { rows, card } = await check(SOFTWARE);
    assert.match(card ?? '', /SwiftShader/);
    const outcomes = Object.fromEntries(rows.map((row) => [`${row.side}: ${row.what}`, row]));
    const ran = (name: string) => {
      const row = outcomes[name];
      assert.equal(row?.status, 'ran', `${name}: ${JSON.stringify(row)}`);
    };
    ran('machine: Vulkan');
    for (const backend of ['onnx/webgpu', 'tensorflow/webgpu']) {
      for (const what of ['works', 'MLP, batch 2', 'conformance suite']) ran(`${backend}: ${what}`);
      ran(`${backend}: whole job, 1 client × 1 epoch × batch 10`);
    }
    ran('onnx/webgpu: agrees with the processor');
    ran('onnx/cpu: MLP, batch 2');
    for (const backend of ['onnx/cuda', 'tensorflow/node-gpu'])
      assert.equal(outcomes[`${backend}: works`]?.status, 'not possible here');
    assert.deepEqual(
      rows.filter(({ status }) => status === 'failed'),
      [],
    );
  });

  it('take no processor for a card', async () => {
    const { rows, card } = await check({ VK_ICD_FILENAMES: DRIVER });
    assert.equal(card, null);
    const vulkan = rows.find(({ what }) => what === 'Vulkan');
    assert.ok(
      vulkan?.status === 'not possible here' && /SwiftShader/.test(vulkan.reason),
      JSON.stringify(vulkan),
    );
    const worked = rows.filter(({ side, status }) => side !== 'machine' && status === 'ran');
    assert.ok(worked.length > 0);
    assert.deepEqual([...new Set(worked.map(({ side }) => side))], ['onnx/cpu']);
  });

  it('refuse the figures of a backend that says nothing of the processor under it', async () => {
    const program = join(folder, 'project/node_modules/fedbatch/dist/bench/step.js');
    const env = { VK_ICD_FILENAMES: DRIVER, LD_LIBRARY_PATH: join(folder, 'vulkan') };
    const step = (more: Readonly<Record<string, string>>) =>
      isolated(join(folder, 'node'), [program, 'dense', '1', '1', 'onnx/webgpu', '1', '0'], {
        ...env,
        ...more,
      });
    assert.match((await step({})).stderr, /libvk_swiftshader\.so is loaded, which computes on the processor/);
    assert.equal((await step({ FEDBATCH_SOFTWARE_GPU: '1' })).exitCode, 0);
  });
});

const variablesOf = (env: Readonly<Record<string, string>>) =>
  Object.entries(env).map((pair) => pair.join('='));

/** The words before a command. */
async function firstThatWorks(): Promise<readonly string[]> {
  for (const way of ISOLATIONS) {
    const words = way.length === 0 ? [] : [...way, 'sh', '-c', HIDE, 'sh'];
    const [command = 'true', ...args] = [...words, 'true'];
    const { exitCode } = await execa(command, args, { reject: false });
    if (exitCode === 0) return words;
  }
  return [];
}
