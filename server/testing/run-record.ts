/** The record of a run as one lies beside its models. */
import { newRunRecord, type RunSettings } from '../../lib/formats/run-record.js';

const SETTINGS: RunSettings = {
  seed: 0,
  dataset: { name: 'digits' },
  model: { name: 'cnn' },
  engine: { name: 'auto' },
  training: { epochs: 1, batch: 100, optimizer: 'adam', learningRate: 0.001, momentum: 0.9 },
  federation: {
    clients: 3,
    rounds: 9,
    fraction: 1,
    minClients: 1,
    partition: { scheme: 'iid', minExamples: 1 },
  },
};

/** A run of so many clients. */
export function aRunRecord({ clients }: { readonly clients: number }): ReturnType<typeof newRunRecord> {
  const settings = { ...SETTINGS, federation: { ...SETTINGS.federation, clients } };
  return newRunRecord({ id: 'x', settings, threads: 1, versions: { fedbatch: '0', node: '0' } });
}
