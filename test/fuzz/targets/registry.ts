/** The targets by name; the readers behind one are loaded with it. */
import type { MakeTarget } from '../target.js';

interface NamedTarget {
  /** Of all inputs: what is slow to read gets fewer. */
  readonly share: number;
  load(): Promise<MakeTarget>;
}

/** All of them. */
export const TARGETS: Readonly<Record<string, NamedTarget>> = {
  npy: { share: 1, load: async () => (await import('./arrays.js')).npy },
  npz: { share: 1, load: async () => (await import('./arrays.js')).npz },
  idx: { share: 0.5, load: async () => (await import('./arrays.js')).idx },
  h5: { share: 1, load: async () => (await import('./models.js')).h5 },
  keras: { share: 1, load: async () => (await import('./models.js')).keras },
  update: { share: 1, load: async () => (await import('./models.js')).update },
  served: { share: 0.05, load: async () => (await import('./models.js')).served },
  csv: { share: 1, load: async () => (await import('./tables.js')).csv },
  parquet: { share: 1, load: async () => (await import('./tables.js')).parquet },
  image: { share: 0.5, load: async () => (await import('./pictures.js')).image },
  records: { share: 1, load: async () => (await import('./records.js')).records },
  http: { share: 1, load: async () => (await import('./http.js')).http },
  upload: { share: 0.5, load: async () => (await import('./uploads.js')).upload },
  grpc: { share: 1, load: async () => (await import('./grpc.js')).grpc },
};

/** Targets that err: what is found in them is tested. */
export const FLAWED = { all: 'flawed', stepwise: 'stepwise' } as const;

/** Loads the target of this name. */
export async function targetNamed(name: string): Promise<MakeTarget> {
  if (name === FLAWED.all) return (await import('./flawed.js')).flawed;
  if (name === FLAWED.stepwise) return (await import('./flawed.js')).stepwise;
  const found = TARGETS[name];
  if (found === undefined)
    throw new Error(`No target ${name}: there are ${Object.keys(TARGETS).join(', ')}.`);
  return found.load();
}
