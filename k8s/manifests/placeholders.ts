/** The placeholders of the templates: what each one means, what stands in its place by default, which values it takes. */
import { UsageError } from '../../lib/core/errors.js';
import { readClientList } from '../../lib/federation/client-list.js';
import { flagOf } from '../../lib/settings/setting.js';
import { settingAt } from '../../lib/settings/table.js';
import { expectedOf, parseText } from '../../lib/settings/value-type.js';

/** What values of one kind look like. */
interface Kind {
  readonly accepts: (text: string) => boolean;
  /** For error messages: "expected …". */
  readonly expected: string;
}

const like = (pattern: RegExp, expected: string): Kind => ({
  accepts: (text) => pattern.test(text),
  expected,
});
const atLeast1 = like(/^[1-9]\d{0,5}$/, 'a whole number of at least 1');
const wholeNumber = like(/^(0|[1-9]\d{0,9})$/, 'a whole number');
const share = like(/^(0(\.\d+)?|1(\.0+)?)$/, 'a number from 0 to 1');
const quantity = like(/^\d+(\.\d+)?([munkMGTPE]|[KMGTPE]i)?$/, 'a quantity such as 500m, 2 or 1Gi');
const image = like(
  /^[a-z0-9][a-z0-9._:/-]*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/,
  'the name of an image, such as registry.example.com/fedbatch/trainer:1.0',
);
const resourceName = like(
  /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
  'a name of small letters, digits, - and .',
);
const address = like(/^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:]+)$/i, 'an IP address');
const clientList: Kind = {
  accepts: (text) => readClientList(text) !== undefined,
  expected: 'numbers of clients, such as 3,7,12 or 0-99',
};
const folder = like(/^\/[\w./-]+$/, 'the path of a folder in the container, such as /mnt/runs');
const modelUri = like(/^[a-z][a-z0-9+.-]*:\/\/[\w./-]+$/, 'an address such as pvc://fedbatch/runs/first');
const apiPort = like(/^[1-9]\d{0,4}$/, 'a port');
const dataset = like(/^[\w./-]+$/, 'digits, mnist or the path of data below /mnt');
/** One placeholder. */
export interface Placeholder extends Kind {
  /** What stands in the templates; undefined where a value must be given. */
  readonly default: string | undefined;
  /** The option of `k8s render` that gives a value which must be given. */
  readonly flag?: string | undefined;
  readonly meaning: string;
  /** What an empty default means. */
  readonly empty?: string;
}

const required = (kind: Kind, flag: string, meaning: string): Placeholder => ({
  ...kind,
  default: undefined,
  flag,
  meaning,
});
const optional = (
  kind: Kind,
  value: string,
  meaning: string,
): Placeholder & { readonly default: string } => ({
  ...kind,
  default: value,
  meaning,
});

/** The placeholder of a setting: its values and its default are those of the table. */
function ofSetting(place: string, meaning: string): Placeholder & { readonly default: string } {
  const { type, default: value } = settingAt(place);
  const accepts = (text: string) => {
    const read = parseText(type, text);
    // Templates are filled as text: a number stands there as it is written out.
    return read !== undefined && (typeof read !== 'number' || `${read}` === text);
  };
  return optional({ accepts, expected: expectedOf(type) }, `${value}`, meaning);
}

/** The same where the templates name no default. */
function requiredSetting(place: string, meaning: string): Placeholder {
  return { ...ofSetting(place, meaning), default: undefined, flag: flagOf(settingAt(place)) };
}

/** The placeholder of a setting that the templates leave empty: then it is not asked for. */
function unaskedSetting(place: string, meaning: string): Placeholder & { readonly default: string } {
  const { accepts, ...others } = ofSetting(place, meaning);
  return { ...others, accepts: (text) => text === '' || accepts(text), default: '', empty: 'none' };
}

/** The release that the templates name; a test holds it to package.json. */
const VERSION = '0.1.0';
const ours = (program: string): Placeholder =>
  optional(image, `fedbatch/${program}:${VERSION}`, `image of the ${program}`);

/** All placeholders, in the order in which the guide lists them. */
export const PLACEHOLDERS = {
  WORKER_NUMBER: requiredSetting('federation.clients', 'number of clients: shards, and trainer pods'),
  EPOCH: requiredSetting('training.epochs', 'local epochs'),
  BATCH: requiredSetting('training.batch', 'examples per training step, or all'),
  NFS_CLUSTER_IP: required(address, '--nfs-cluster-ip', 'cluster IP of the service fedbatch-nfs'),
  DATASET: optional(dataset, 'digits', 'what is dealt: digits, mnist, or data on the volume'),
  SCALE: ofSetting('dataset.scale', 'numbers that are black and white in the images, e.g. -1..1'),
  MODEL: ofSetting('model.name', 'the model that is trained'),
  SEED: ofSetting('seed', 'seed of the partition and of the training'),
  CLIENTS: {
    ...optional(clientList, '', 'the clients that are trained, in the order of the completion indexes'),
    empty: 'all',
  },
  MAX_FAILED_INDEXES: optional(wholeNumber, '0', 'clients that may fail for good'),
  GPU: optional(wholeNumber, '0', 'NVIDIA GPUs of each trainer'),
  TRAINER_CPU: optional(quantity, '1', 'processors of each trainer'),
  TRAINER_MEMORY: optional(quantity, '1Gi', 'memory of each trainer'),
  DEADLINE_SECONDS: optional(atLeast1, '86400', 'seconds until the training is given up'),
  TTL_SECONDS: optional(wholeNumber, '86400', 'seconds for which a finished Job is kept'),
  METRICS_PORT: unaskedSetting('watching.metricsPort', 'port at which pods answer Prometheus'),
  METRICS_HOST: unaskedSetting('watching.metricsHost', 'address that the port is open on: 0.0.0.0 in a pod'),
  PUSHGATEWAY: unaskedSetting(
    'watching.pushgateway',
    "Prometheus' Pushgateway, which pods tell their metrics",
  ),
  MIN_ACCURACY: optional(share, '0', 'accuracy below which the accuracy test fails'),
  REPLICAS: optional(wholeNumber, '2', 'pods of the server; the fewest, where it is scaled'),
  MAX_REPLICAS: optional(atLeast1, '10', 'most pods of a server that is scaled'),
  MODEL_URI: optional(modelUri, 'pvc://fedbatch', 'where KServe finds the directory of aggregated-model.h5'),
  INGRESS_HOST: optional(resourceName, 'fedbatch.example.com', "name of the server's page"),
  INGRESS_CLASS: optional(resourceName, 'nginx', 'ingress controller'),
  STORAGE_CLASS: optional(resourceName, 'nfs-csi', 'storage class that offers ReadWriteMany'),
  STORAGE: optional(quantity, '10Gi', 'size of the volume'),
  CLAIM: optional(resourceName, 'fedbatch', 'claim of the volume that all services share'),
  API_PORT: optional(apiPort, '6443', 'port at which the API server itself listens, behind its Service'),
  PV_NAME: optional(resourceName, 'fedbatch-nfs', 'persistent volume on the NFS server'),
  PIPELINE_CLIENTS: ofSetting('federation.clients', 'clients of a run inside the cluster'),
  PIPELINE_ROUNDS: ofSetting('federation.rounds', 'rounds of a run inside the cluster'),
  PIPELINE_EPOCHS: ofSetting('training.epochs', 'local epochs of a run inside the cluster'),
  PIPELINE_BATCH: ofSetting('training.batch', 'batch size of a run inside the cluster'),
  PIPELINE_DEADLINE_SECONDS: optional(
    atLeast1,
    '172800',
    'seconds until a run inside the cluster is given up',
  ),
  SPLITTER_IMAGE: ours('splitter'),
  TRAINER_IMAGE: ours('trainer'),
  AGGREGATOR_IMAGE: ours('aggregator'),
  EVALUATOR_IMAGE: ours('evaluator'),
  SERVER_IMAGE: ours('server'),
  PIPELINE_IMAGE: ours('pipeline'),
  NFS_IMAGE: optional(image, 'registry.k8s.io/volume-nfs:0.8', 'image of the NFS server'),
  BUSYBOX_IMAGE: optional(image, 'busybox:1.37', 'image of the shell on the volume'),
  TENSORBOARD_IMAGE: optional(image, 'tensorflow/tensorflow:2.19.0', 'an image with TensorBoard in it'),
  TENSORBOARD_LOGDIR: optional(folder, '/mnt', 'folder that TensorBoard looks for event files in'),
} as const satisfies Readonly<Record<string, Placeholder>>;

/** The name of a placeholder. */
export type PlaceholderName = keyof typeof PLACEHOLDERS;

/** What stands in the place of placeholders; those that are left out keep their default. */
export type Values = Readonly<Partial<Record<PlaceholderName, string>>>;

/** The names, in the order of the guide. */
export const PLACEHOLDER_NAMES = Object.keys(PLACEHOLDERS) as readonly PlaceholderName[];

/** Whether there is a placeholder of this name. */
export const isPlaceholder = (name: string): name is PlaceholderName => Object.hasOwn(PLACEHOLDERS, name);

/** @throws {UsageError} when a value is not what its placeholder takes */
export function checkValues(values: Values): void {
  for (const [name, value] of Object.entries(values)) {
    if (!isPlaceholder(name)) {
      throw new UsageError(`There is no placeholder ${name}; there are ${PLACEHOLDER_NAMES.join(', ')}.`);
    }
    const { accepts, expected } = PLACEHOLDERS[name];
    if (!accepts(value)) throw new UsageError(`${name}: expected ${expected}, found "${value}".`);
  }
}
