/** A model is tried before it replaces another: one that cannot be served is refused as everywhere, one that ends or stops its process, too. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExitCode } from '../../lib/core/errors.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { ENDING_MODEL, STOPPING_MODEL } from '../testing/mortal-workers.js';
import { writePrototypeModel } from '../testing/prototype-model.js';
import { tryModel } from './try-model.js';
import { ModelRefusedError } from './worker-predictor.js';

const shared = (bytes: Uint8Array) => {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
};

test('a model is tried in a process of its own, which it may end', async (t) => {
  const modelPath = join(await temporaryDirectory(t), 'model.h5');
  await writePrototypeModel(modelPath);
  const bytes = shared(await readFile(modelPath));
  const settings = { modelPath, bytes, threads: 1 };
  await tryModel(settings);
  const refused = (sentence: RegExp) => (error: unknown) => {
    assert.ok(error instanceof ModelRefusedError);
    assert.equal(error.exitCode, ExitCode.data);
    assert.match(error.message, sentence);
    return true;
  };
  await assert.rejects(
    tryModel({ ...settings, bytes: shared(bytes.subarray(0, 500)) }),
    refused(/model\.h5: expected /),
  );
  const workerUrl = new URL('../testing/mortal-workers.js', import.meta.url);
  await assert.rejects(
    tryModel({ ...settings, modelPath: ENDING_MODEL }, { workerUrl }),
    refused(
      /^ending\.h5: expected a model that can be loaded, found one that ends its process \(exit code 134\)$/,
    ),
  );
  await assert.rejects(
    tryModel({ ...settings, modelPath: STOPPING_MODEL }, { workerUrl, deadlineMs: 500 }),
    refused(/found one that takes more than 0\.5 s$/),
  );
});
