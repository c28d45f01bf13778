/** How many threads trainings really start: as many as planned, also under a container's cpu limit. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { type CpuLimit, limitCpu } from './cpu-limit.js';
import { programPath, quarterExamples } from './programs.js';
import { sharedDirectory } from './temporary-directory.js';

const isLinux = process.platform === 'linux';

describe('the threads of a training', { skip: isLinux ? false : 'threads are counted in /proc' }, () => {
  let directory: string;
  let shard: string;

  before(async () => {
    directory = sharedDirectory();
    shard = join(directory, '0.npz');
    await writeShard(shard, quarterExamples(200, 1));
  });

  /** Starts a training without end and counts its threads while it runs. */
  async function threadsOfTraining(args: readonly string[], limit?: CpuLimit): Promise<number> {
    const training = [
      ...['--data', shard, '--model', 'cnn', '--epochs', '100000', '--out', join(directory, 'never.h5')],
      ...['--engine', 'onnx', '--backend', 'cpu', '--log-format', 'json', ...args],
    ];
    const program = programPath('trainer/cli');
    const [file, argv] = limit?.command(program, training) ?? [process.execPath, [program, ...training]];
    const child = execa(file, argv, { reject: false });
    let stderr = '';
    const running = new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk;
        if (stderr.includes('"event":"progress"')) resolve();
      });
      child.then(() => reject(new Error(stderr)), reject);
    });
    try {
      await running;
      await sleep(200);
      return readdirSync(`/proc/${child.pid}/task`).length;
    } finally {
      child.kill('SIGKILL');
      await child;
    }
  }

  it('are those of --threads, one of them the thread that trains', async () => {
    const one = await threadsOfTraining(['--threads', '1']);
    assert.equal(await threadsOfTraining(['--threads', '4']), one + 3);
  });

  it('are as many as a cpu limit has whole cores, at least one', async (t) => {
    const limit = limitCpu(0.5);
    if (typeof limit === 'string') return t.skip(limit);
    try {
      const planned = await threadsOfTraining(['--threads', '1'], limit);
      assert.equal(await threadsOfTraining([], limit), planned);
    } finally {
      await limit.remove();
    }
  });

  it('are planned by the pipeline within a cpu limit', async (t) => {
    const limit = limitCpu(1);
    if (typeof limit === 'string') return t.skip(limit);
    try {
      const small = ['--data', shard, '--model', 'mlp', '--epochs', '1', '--clients', '2'];
      const planned = [...small, '--volume', join(directory, 'run')];
      const [file, args] = limit.command(programPath('pipeline/cli'), planned);
      const run = execa(file, args, { reject: false });
      let stderr = '';
      // What it plans is said first; the run itself is of no interest.
      for await (const line of createInterface({ input: run.stderr })) {
        stderr += `${line}\n`;
        if (line.startsWith('Starting ')) run.kill('SIGTERM');
      }
      await run;
      assert.match(stderr, /^Starting .*, 1 at a time with 1 thread on 1 core$/m);
    } finally {
      await limit.remove();
    }
  });
});
