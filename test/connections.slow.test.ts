/** No telemetry: a default run and a server, from an empty home, connect to nothing but this machine. Needs strace. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { runningWith } from './processes.js';
import { programPath } from './programs.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

const strace = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'strace'))
  .find((file) => existsSync(file));

/** Of all threads and processes: what takes the address of somebody. */
const TRACED = ['-f', '--seccomp-bpf', '-qq', '-e', 'trace=connect,sendto,sendmsg,sendmmsg'];

/** Addresses of networks in a trace, as strace writes them: IPv4, IPv6 and where their port is. */
function addressesIn(trace: string): readonly string[] {
  return [...trace.matchAll(/inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/g)].map(
    ([, four, six]) => four ?? six ?? '',
  );
}

const isOfThisMachine = (address: string) => /^127\.|^::1$|^::ffff:127\./.test(address);

describe('connections', { skip: strace === undefined && 'no strace' }, async () => {
  const directory = sharedDirectory();
  const home = join(directory, 'home');
  await mkdir(home);
  /** The environment of somebody who has set nothing. */
  const env = { PATH: process.env.PATH ?? '', HOME: home, XDG_CACHE_HOME: join(home, 'cache') };
  let traces = 0;
  /** Starts a program of Node under the tracer. */
  const traced = (...words: readonly string[]) => {
    const file = join(directory, `trace-${traces++}`);
    const child = execa(strace ?? '', [...TRACED, '-o', file, process.execPath, ...words], {
      ...{ env, extendEnv: false, cwd: directory, reject: false, all: true },
    });
    return { child, addresses: async () => addressesIn(await readFile(file, 'utf8')) };
  };

  it('are seen where a program makes one', async () => {
    // 192.0.2.1 is nobody's (RFC 5737).
    const script = `require('node:net').connect(9, '192.0.2.1').on('error', () => {}).unref();
      require('node:dgram').createSocket('udp4').send('x', 9, '192.0.2.2', () => process.exit());`;
    const { child, addresses } = traced('-e', script);
    await child;
    assert.deepEqual([...(await addresses())].sort(), ['192.0.2.1', '192.0.2.2']);
  });

  it('are none but of this machine in a whole run', async () => {
    const { child, addresses } = traced(programPath('cli'), 'run', '--rounds', '1', '--volume', 'run');
    const { exitCode, stderr } = await child;
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(
      (await addresses()).filter((each) => !isOfThisMachine(each)),
      [],
    );
  });

  it('are none but of this machine in a server that answers', async () => {
    const model = join(directory, 'run', 'aggregated-model.h5');
    const { child, addresses } = traced(programPath('cli'), 'serve', '--model', model, '--port', '0');
    const url = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.all.on('data', (chunk) => {
        text += chunk;
        const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(text) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.all.once('end', () => reject(new Error(text)));
    });
    const form = new FormData();
    const picture = await readFile(join(projectRoot, 'samples', 'digit-7-a.png'));
    form.set('file', new Blob([picture], { type: 'image/png' }), '7.png');
    const answer = await fetch(`${url}/upload`, { method: 'POST', body: form });
    assert.equal(answer.status, 200, await answer.text());
    // Not the tracer, which would let the server live on.
    for (const pid of runningWith(model)) if (pid !== child.pid) process.kill(pid, 'SIGTERM');
    await child;
    assert.deepEqual(
      (await addresses()).filter((each) => !isOfThisMachine(each)),
      [],
    );
  });
});
