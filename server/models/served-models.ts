/** The versions of the served model: which one answers, which were before, which file was refused and why. */
import { messageOf } from '../../lib/core/errors.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { PredictorUnavailableError } from '../../lib/http/problems.js';
import type { ModelCard } from './model-card.js';
import type { Predictor } from './predictor.js';

/** One version: a model file as it was when it was loaded. */
export interface ModelVersion {
  /** Counts the models that this server has loaded, from 1. */
  readonly version: number;
  readonly loadedAt: Date;
  readonly predictor: Predictor;
}

/** A model file that is not served, and why. */
export interface RefusedModel {
  readonly sha256: string;
  readonly reason: string;
  readonly at: Date;
}

/** A model under its name, in its versions. As a predictor it is the version that answers now. */
export interface ServedModels extends Predictor {
  /** What the API calls the model. */
  readonly name: string;
  /** The version that answers; undefined before the first. */
  current(): ModelVersion | undefined;
  /** All versions that are held, the oldest first. */
  versions(): readonly ModelVersion[];
  /** The file that was refused last, until a later one is taken. */
  refused(): RefusedModel | undefined;
}

/** What may become known of a model only after it has been loaded. */
type LaterFacts = Partial<Pick<ModelCard, 'accuracy' | 'tested' | 'training'>>;

/** The same, and how it changes. */
export interface ModelStore extends ServedModels {
  /**
   * Takes the content of a model file as the next version, once it has been loaded and has passed its self-test; until
   * then, and where it fails, the version before keeps answering. A content that answers already, or that was
   * refused or left by a rollback before, changes nothing.
   *
   * @throws with the reason of a refusal
   */
  offer(bytes: Uint8Array<SharedArrayBuffer>): Promise<'taken' | 'known'>;
  /** Adds to the card of the version of this sha256, where it is held. */
  learn(sha256: string, facts: LaterFacts): void;
  /** Returns to the version before the one that answers, which is not taken again; undefined where there is none. */
  rollback(): ModelVersion | undefined;
}

/** How a store works. */
interface ModelStoreOptions {
  readonly name: string;
  /** Loads a model and tests it. @throws with the reason where it cannot be served */
  readonly load: (bytes: Uint8Array<SharedArrayBuffer>, version: number) => Promise<Predictor>;
  /** Earlier versions that stay loaded, for a way back and for clients that name them. */
  readonly keepVersions?: number;
}

const DEFAULT_KEPT_VERSIONS = 1;

/** Makes a store without any version. */
export function createModelStore({
  name,
  load,
  keepVersions = DEFAULT_KEPT_VERSIONS,
}: ModelStoreOptions): ModelStore {
  let held: readonly (ModelVersion & { readonly sha256: string })[] = [];
  let answering: number | undefined;
  let nextVersion = 1;
  let lastRefused: RefusedModel | undefined;
  /** By sha256. */
  const learned = new Map<string, LaterFacts>();
  /** Contents that a rollback has left behind. */
  const abandoned = new Set<string>();

  const current = () => held.find(({ version }) => version === answering);

  async function dropOldVersions(): Promise<void> {
    const before = held.filter(({ version }) => version !== answering);
    const dropped = before.slice(0, Math.max(0, before.length - keepVersions));
    held = held.filter((each) => !dropped.includes(each));
    for (const sha256 of dropped.map((each) => each.sha256)) {
      if (held.every((each) => each.sha256 !== sha256)) learned.delete(sha256);
    }
    await Promise.all(dropped.map(({ predictor }) => predictor.close()));
  }

  return {
    name,
    current,
    versions: () => held,
    refused: () => lastRefused,
    card() {
      const card = current()?.predictor.card();
      return card && { ...card, ...learned.get(card.sha256) };
    },

    async predict(images, count) {
      const version = current();
      if (version === undefined) throw new PredictorUnavailableError('The model is not loaded yet.');
      return version.predictor.predict(images, count);
    },

    async offer(bytes) {
      const hash = sha256(bytes);
      if (current()?.sha256 === hash || lastRefused?.sha256 === hash || abandoned.has(hash)) return 'known';
      const version = nextVersion;
      const predictor = await load(bytes, version).catch((error: unknown) => {
        const reason = messageOf(error);
        lastRefused = { sha256: hash, reason, at: new Date() };
        throw error;
      });
      nextVersion++;
      held = [...held, { version, loadedAt: new Date(), predictor, sha256: hash }];
      answering = version;
      lastRefused = undefined;
      await dropOldVersions();
      return 'taken';
    },

    learn(sha256, facts) {
      if (held.some((each) => each.sha256 === sha256))
        learned.set(sha256, { ...learned.get(sha256), ...facts });
    },

    rollback() {
      const left = current();
      const before = held.filter(({ version }) => version < (left?.version ?? 0)).at(-1);
      if (left === undefined || before === undefined) return undefined;
      abandoned.add(left.sha256);
      answering = before.version;
      return before;
    },

    async close() {
      const all = held;
      held = [];
      await Promise.all(all.map(({ predictor }) => predictor.close()));
    },
  };
}

/** One predictor as the only version of a model. */
export function singleModel(predictor: Predictor, name = 'model'): ServedModels {
  const only: ModelVersion = { version: 1, loadedAt: new Date(), predictor };
  const current = () => (predictor.card() === undefined ? undefined : only);
  return {
    name,
    current,
    versions: () => [only],
    refused: () => undefined,
    card: () => predictor.card(),
    predict: (images, count) => predictor.predict(images, count),
    close: () => predictor.close(),
  };
}
