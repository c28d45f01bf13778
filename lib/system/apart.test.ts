/** Work in a process of its own: its parts in their order, and every way in which it fails without anything else. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailingRequest } from '../../test/failing-worker.js';
import { type ApartOptions, createApart } from './apart.js';

const module = new URL('../../test/failing-worker.js', import.meta.url);
const create = (options: Partial<ApartOptions> = {}) =>
  createApart<FailingRequest, string, number>({
    ...{ module, deadlineMs: 60_000, atOnce: 1, isQuiet: true },
    ...options,
  });

describe('work in a process of its own', () => {
  it('tells its parts in their order, then its value, and goes on after each kind of end', async (t) => {
    for (const [request, why, how, options] of [
      ['ends', 'ended', /^SIGTRAP$/, {}],
      ['is busy', 'late', /^SIGKILL$/, { mostCpuMs: 200 }],
      ['grows', 'large', /^SIGKILL$/, { mostBytes: 300 * 2 ** 20 }],
    ] as const) {
      const apart = create(options);
      t.after(apart.end);
      await assert.rejects(apart.ask(request), { name: 'ApartEnded', why, wasReady: true, message: how });
      const parts: number[] = [];
      assert.equal(await apart.ask('parts', (part) => parts.push(part)), 'parts');
      assert.deepEqual(parts, [0, 1, 2]);
    }
  });

  it('tells of its bugs, and is given up when it is silent', async (t) => {
    const apart = create({ deadlineMs: 300 });
    t.after(apart.end);
    await assert.rejects(apart.ask('errs'), /^Error: RangeError: of its own\n/);
    await assert.rejects(apart.ask('is silent'), { name: 'ApartEnded', why: 'late' });
  });

  it('is ended where whoever hears its parts wants no more', async (t) => {
    const apart = create();
    t.after(apart.end);
    const unwanted = apart.ask('parts', () => {
      throw new RangeError('not wanted');
    });
    await assert.rejects(unwanted, { name: 'RangeError', message: 'not wanted' });
    assert.equal(await apart.ask('parts', () => undefined), 'parts');
  });

  it('ends in the midst of its work where the process that it works for was killed', {
    timeout: 60_000,
  }, async () => {
    const parent = [
      `import { createApart } from '${new URL('./apart.js', import.meta.url)}';`,
      `const apart = createApart({ module: new URL('${module}'), deadlineMs: 60_000, atOnce: 1 });`,
      "await apart.ask('is busy', (pid) => console.log(pid));",
    ];
    const killed = spawn(process.execPath, ['--input-type=module', '-e', parent.join('\n')]);
    const pid = Number(await new Promise((resolve) => killed.stdout.once('data', resolve)));
    killed.kill('SIGKILL');
    const isThere = () => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    while (isThere()) await sleep(50);
  });
});
