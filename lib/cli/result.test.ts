import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { leaveResult, tellResult } from './result.js';

afterEach(() => {
  delete process.env.FEDBATCH_RESULT_FILE;
});

describe('the file of a result', () => {
  it('holds the result as JSON', async (t) => {
    const file = join(await temporaryDirectory(t), 'termination-log');
    process.env.FEDBATCH_RESULT_FILE = file;
    leaveResult({ client: 3, sha256: 'ab' });
    assert.equal(await readFile(file, 'utf8'), '{"client":3,"sha256":"ab"}');
    leaveResult('data/0.npz: expected a shard, found none.');
    assert.equal(await readFile(file, 'utf8'), 'data/0.npz: expected a shard, found none.');
  });

  it('stays within what Kubernetes keeps, and readable', async (t) => {
    const file = join(await temporaryDirectory(t), 'termination-log');
    process.env.FEDBATCH_RESULT_FILE = file;
    const rejected = Array.from({ length: 500 }, (_, at) => ({ file: `${at}.h5`, reason: 'not finite' }));
    leaveResult({ updates: 1, rejected, sha256: 'ab' });
    const bytes = await readFile(file);
    assert.ok(bytes.length <= 4096 && bytes.length > 1500, `${bytes.length} bytes`);
    const kept = JSON.parse(bytes.toString()) as { rejected: unknown[]; sha256: string; shortened: boolean };
    assert.deepEqual(kept.rejected, rejected.slice(0, kept.rejected.length));
    assert.deepEqual([kept.sha256, kept.shortened], ['ab', true]);
    leaveResult('ä'.repeat(3000).slice(1).padStart(3000, 'x'));
    const sentence = await readFile(file, 'utf8');
    assert.ok(Buffer.byteLength(sentence) <= 4096);
    assert.match(sentence, /^xä+$/);
  });

  it('leaves out details that have no room, and keeps those that have', async (t) => {
    const file = join(await temporaryDirectory(t), 'termination-log');
    process.env.FEDBATCH_RESULT_FILE = file;
    const read = async () => JSON.parse(await readFile(file, 'utf8')) as unknown;
    const short = { client: 3, epochs: [{ epoch: 1 }, { epoch: 2 }] };
    tellResult(short, ['epochs']);
    assert.deepEqual(await read(), short);
    const long = { client: 3, epochs: Array.from({ length: 500 }, (_, epoch) => ({ epoch })) };
    tellResult(long, ['epochs']);
    assert.deepEqual(await read(), { client: 3, incomplete: true });
  });

  it('that cannot be written is no failure', () => {
    process.env.FEDBATCH_RESULT_FILE = '/nowhere/termination-log';
    leaveResult({ client: 1 });
  });
});
