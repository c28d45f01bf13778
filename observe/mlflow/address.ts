/** Which MLflow server a run tells, in which experiment, and by whose leave: by settings, and MLflow's own environment variables. */
import type { GivenSettings } from '../../lib/settings/complete.js';
import { MLFLOW_OFF, mlflowUrl } from '../../lib/settings/parts/watching.js';
import type { MlflowAddress } from './server.js';

/** The experiment of runs that are given none. */
const EXPERIMENT = 'fedbatch';

/** Where a run is told. */
export interface MlflowPlace {
  readonly address: MlflowAddress;
  /** Name of the experiment. */
  readonly experiment: string;
}

/** What the environment says, and who hears what is wrong with that. */
interface Surroundings {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  warn(message: string): void;
}

/** Where a run is told; undefined where nobody asked for MLflow. */
export function mlflowPlace(
  given: GivenSettings,
  { environment = process.env, warn }: Surroundings,
): MlflowPlace | undefined {
  const {
    MLFLOW_TRACKING_URI: uri = '',
    MLFLOW_EXPERIMENT_NAME: name = '',
    MLFLOW_TRACKING_TOKEN: token = '',
    MLFLOW_TRACKING_USERNAME: user = '',
    MLFLOW_TRACKING_PASSWORD: password = '',
  } = environment;
  const asked = given['watching.mlflow'] ?? (uri === '' ? MLFLOW_OFF : mlflowUrl(uri));
  if (asked === undefined) {
    // Not repeated: the address of a database may hold a password.
    warn(
      'MLFLOW_TRACKING_URI holds no address of a server (http:// or https://), and the run is not logged: ' +
        `--mlflow gives one, and --mlflow ${MLFLOW_OFF} says that none is wanted.`,
    );
  }
  if (asked === undefined || asked === MLFLOW_OFF) return undefined;
  const url = new URL(`${asked}`);
  const own = { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  url.username = '';
  url.password = '';
  return {
    address: {
      url: url.href.replace(/\/+$/, ''),
      authorization: authorizationOf({ ...(own.user === '' ? { user, password } : own), token }),
    },
    experiment: `${given['watching.mlflowExperiment'] ?? (name || EXPERIMENT)}`,
  };
}

/** A name and password win over a token, as with MLflow's own client. */
function authorizationOf({
  user,
  password,
  token,
}: {
  readonly user: string;
  readonly password: string;
  readonly token: string;
}): string | undefined {
  if (user !== '') return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return token === '' ? undefined : `Bearer ${token}`;
}
