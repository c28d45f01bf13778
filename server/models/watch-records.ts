/** Looks for what is written about the served model after it: its accuracy test, and the end of the round that made it. */
import { dirname, join } from 'node:path';
import { ACCURACY_FILE, readAccuracy } from '../model-accuracy.js';
import { findTraining, METRICS_FILE } from '../model-training.js';
import { identify } from './file-identity.js';
import type { ModelStore } from './served-models.js';

/**
 * Makes a function that looks once, and lets the store know what it finds about a version that it holds. A file that has
 * not changed since the look before is not read. It never rejects: records are told where there are some.
 */
export function createRecordsWatch(modelPath: string, store: ModelStore): () => Promise<void> {
  const directory = dirname(modelPath);
  const accuracyFile = watchFile(join(directory, ACCURACY_FILE));
  const metricsFile = watchFile(join(directory, METRICS_FILE));
  let tested: Awaited<ReturnType<typeof readAccuracy>>;
  let sought = '';

  return async () => {
    if (await accuracyFile.hasChanged()) tested = await readAccuracy(modelPath);
    // Again each time: it may be about a model that has come only now.
    if (tested !== undefined) store.learn(tested.sha256, { accuracy: tested.accuracy });

    const { sha256, training } = store.card() ?? {};
    if (sha256 === undefined || training !== undefined) return;
    const grown = await metricsFile.hasChanged();
    if (!grown && sought === sha256) return;
    sought = sha256;
    const found = await findTraining(modelPath, sha256);
    if (found !== undefined) store.learn(sha256, { training: found });
  };
}

function watchFile(path: string): { hasChanged(): Promise<boolean> } {
  let seen = '';
  return {
    async hasChanged() {
      const { identity, isYoung } = await identify(path).catch(() => ({ identity: '', isYoung: false }));
      const changed = identity !== seen || isYoung;
      seen = identity;
      return changed;
    },
  };
}
