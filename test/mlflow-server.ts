/** A server with the endpoints of MLflow's REST API 2.0 that we use: it takes what the documentation allows, and nothing else. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

/**
 * How a server fails: by a status, by no answer at all, by a connection that breaks before its work or after it, by being
 * another server than MLflow's, by being elsewhere.
 */
export type Fault = 500 | 401 | 'hangs' | 'resets' | 'loses' | 'is another' | 'has moved';

/** A run as the server has it. */
export interface LoggedRun {
  readonly id: string;
  readonly experiment: string;
  name: string;
  status: string;
  endTime: number | undefined;
  readonly params: Map<string, string>;
  readonly tags: Map<string, string>;
  /** In the order of their arrival. */
  readonly metrics: {
    readonly key: string;
    readonly value: number | 'NaN';
    readonly timestamp: number;
    readonly step: number;
  }[];
  readonly files: Map<string, string>;
  isDeleted: boolean;
}

/** A server that a test starts. */
export interface PlayedMlflow {
  readonly url: string;
  readonly runs: readonly LoggedRun[];
  /** Each request's method and path, and its credentials. */
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[];
  /** What artifacts lie below. */
  artifactRoot: string;
  /** Decides how the n-th request, from 0, fails; undefined answers it. */
  fails: (request: number) => Fault | undefined;
}

const key = z
  .string()
  .max(250)
  .regex(/^[/\p{L}\p{N}_.\- ]+$/u)
  .refine((name) => !/(^|\/)\.*(\/|$)/.test(name));
const named = (longest: number) => z.strictObject({ key, value: z.string().max(longest) });
const metric = z.strictObject({
  key,
  value: z.union([z.number(), z.literal('NaN')]),
  timestamp: z.int().positive(),
  step: z.int(),
});
const status = z.enum(['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED']);

/** Requests by endpoint, as the documentation has them. */
const REQUESTS = {
  'experiments/create': z.strictObject({ name: z.string().min(1) }),
  'runs/create': z.strictObject({
    experiment_id: z.string(),
    run_name: z.string(),
    start_time: z.int().positive(),
    tags: z.array(named(5000)),
  }),
  'runs/search': z.strictObject({
    experiment_ids: z.array(z.string()),
    filter: z.string().regex(/^tags\.`[^`]+` = '[^']*'( and tags\.`[^`]+` = '[^']*')*$/),
    max_results: z.int().max(50_000),
  }),
  'runs/log-batch': z
    .strictObject({
      run_id: z.string(),
      metrics: z.array(metric).max(1000).optional(),
      params: z.array(named(500)).max(100).optional(),
      tags: z.array(named(5000)).max(100).optional(),
    })
    .refine(
      ({ metrics = [], params = [], tags = [] }) => metrics.length + params.length + tags.length <= 1000,
    ),
  'runs/update': z.strictObject({
    run_id: z.string(),
    status: status.optional(),
    end_time: z.int().optional(),
  }),
  'runs/delete': z.strictObject({ run_id: z.string() }),
} as const;

/** What is refused, with MLflow's word for it. */
class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const invalid = (message: string) => new Refused(400, 'INVALID_PARAMETER_VALUE', message);
const unknown = (message: string) => new Refused(404, 'RESOURCE_DOES_NOT_EXIST', message);

/** Starts the server for the length of a test. */
export async function startMlflow(t: Pick<TestContext, 'after'>): Promise<PlayedMlflow> {
  const runs: LoggedRun[] = [];
  const experiments = new Map<string, string>();
  const played: PlayedMlflow & { url: string } = {
    url: '',
    runs,
    requests: [],
    artifactRoot: 'mlflow-artifacts:',
    fails: () => undefined,
  };

  const runOf = (id: string) => {
    const found = runs.find((run) => run.id === id && !run.isDeleted);
    if (found === undefined) throw unknown(`Run with id=${id} not found`);
    return found;
  };
  const answerOf = (run: LoggedRun) => {
    const latest = new Map(run.metrics.map((each) => [each.key, each]));
    return {
      info: {
        run_id: run.id,
        artifact_uri: `${played.artifactRoot}/${run.experiment}/${run.id}/artifacts`,
        status: run.status,
      },
      data: { metrics: [...latest.values()], params: entriesOf(run.params), tags: entriesOf(run.tags) },
    };
  };
  const handlers: {
    readonly [E in keyof typeof REQUESTS]: (request: z.infer<(typeof REQUESTS)[E]>) => object;
  } = {
    'experiments/create': ({ name }) => {
      if (experiments.has(name)) throw new Refused(400, 'RESOURCE_ALREADY_EXISTS', name);
      experiments.set(name, `${experiments.size + 1}`);
      return { experiment_id: experiments.get(name) };
    },
    'runs/create': ({ experiment_id: experiment, run_name: name, tags }) => {
      const run = {
        ...{
          // A later one may well have the smaller id: the ids of MLflow are random.
          id: `${10 ** 6 - runs.length}`.padStart(32, '0'),
          experiment,
          name,
          status: 'RUNNING',
          endTime: undefined,
        },
        ...{ params: new Map(), tags: new Map(tags.map((tag) => [tag.key, tag.value])) },
        ...{ metrics: [], files: new Map(), isDeleted: false },
      };
      runs.push(run);
      return { run: answerOf(run) };
    },
    'runs/search': ({ filter, experiment_ids: among }) => {
      const wanted = [...filter.matchAll(/tags\.`([^`]+)` = '([^']*)'/g)];
      const found = runs.filter(
        (run) =>
          !run.isDeleted &&
          among.includes(run.experiment) &&
          wanted.every(([, name = '', value]) => run.tags.get(name) === value),
      );
      // Of none, MLflow leaves the list out.
      return found.length === 0 ? {} : { runs: found.map(answerOf) };
    },
    'runs/log-batch': ({ run_id: id, metrics = [], params = [], tags = [] }) => {
      const run = runOf(id);
      for (const each of params) {
        if ((run.params.get(each.key) ?? each.value) !== each.value)
          throw invalid(`Changing param values is not allowed: ${each.key}`);
        run.params.set(each.key, each.value);
      }
      run.metrics.push(...metrics);
      for (const each of tags) run.tags.set(each.key, each.value);
      return {};
    },
    'runs/update': ({ run_id: id, status: now, end_time: endTime }) => {
      const run = runOf(id);
      run.status = now ?? run.status;
      run.endTime = endTime ?? run.endTime;
      return { run_info: answerOf(run).info };
    },
    'runs/delete': ({ run_id: id }) => {
      runOf(id).isDeleted = true;
      return {};
    },
  };

  const answer = async (request: IncomingMessage): Promise<object> => {
    const { pathname, searchParams } = new URL(request.url ?? '', played.url);
    const body = await text(request);
    if (request.method === 'PUT') {
      const [, id = '', name = ''] =
        /^\/api\/2\.0\/mlflow-artifacts\/artifacts\/\d+\/(\w+)\/artifacts\/([\w.-]+)$/.exec(pathname) ?? [];
      runOf(id).files.set(name, body);
      return {};
    }
    const endpoint = pathname.replace('/api/2.0/mlflow/', '');
    if (request.method === 'GET' && endpoint === 'experiments/get-by-name') {
      const name = searchParams.get('experiment_name') ?? '';
      const id = experiments.get(name);
      if (id === undefined) throw unknown(`Could not find experiment with name ${name}`);
      return { experiment: { experiment_id: id, name, lifecycle_stage: 'active' } };
    }
    if (request.method !== 'POST' || !Object.hasOwn(REQUESTS, endpoint))
      throw new Refused(404, 'ENDPOINT_NOT_FOUND', pathname);
    if (!/^application\/json/.test(request.headers['content-type'] ?? '')) throw invalid('content-type');
    const name = endpoint as keyof typeof REQUESTS;
    const parsed = REQUESTS[name].safeParse(JSON.parse(body));
    if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
    return (handlers[name] as (asked: unknown) => object)(parsed.data);
  };
  let made = 0;
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    // Two that look for a run at once both find none; the second one that makes it comes when the first has found its own.
    if (request.url?.endsWith('runs/create')) await delay(made++ % 2 === 0 ? 25 : 75);
    const number = played.requests.length;
    played.requests.push({
      path: `${request.method} ${request.url}`,
      authorization: request.headers.authorization,
    });
    const fault = played.fails(number);
    if (fault === 'hangs') return;
    if (fault === 'resets') return void request.socket.destroy();
    if (fault === 'is another') return void response.end('<html>welcome</html>');
    if (fault === 'has moved')
      return void response.writeHead(301, { location: 'https://new.example/' }).end();
    try {
      if (fault === 401) throw new Refused(401, 'UNAUTHENTICATED', 'You are not authenticated');
      if (fault === 500) throw new Refused(500, 'INTERNAL_ERROR', 'the database is locked');
      const answered = JSON.stringify(await answer(request));
      if (fault === 'loses') request.socket.destroy();
      else response.setHeader('content-type', 'application/json').end(answered);
    } catch (error) {
      const { status: refused = 500, code = 'INTERNAL_ERROR', message } = error as Partial<Refused>;
      response.statusCode = refused;
      response.end(JSON.stringify({ error_code: code, message }));
    }
  };
  const server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  played.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return played;
}

const entriesOf = (map: ReadonlyMap<string, string>) =>
  [...map].map(([name, value]) => ({ key: name, value }));
