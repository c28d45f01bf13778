/** Requests to the API server of an access, with its credentials, its certificates and its proxy. */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import { UsageError } from '../../lib/core/errors.js';
import type { ClusterAccess, KubeAccess } from './access.js';
import { type Credentials, createCredentials } from './credentials.js';

/** One request. */
interface ApiRequest {
  readonly url: URL;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests. */
export interface Transport {
  /** Gets credentials, which may ask the user. @throws {UsageError} when there are none to be had */
  prepare(): Promise<void>;
  /** Resolves as the answer begins. @throws {UsageError} when what answers is no API server */
  send(request: ApiRequest): Promise<IncomingMessage>;
}

/** The requests of an access. */
export function createTransport(access: KubeAccess): Transport {
  const { cluster } = access;
  const credentials = createCredentials(access);
  const agents = createAgents(cluster);
  const once = async (request: ApiRequest): Promise<IncomingMessage> => {
    const { url, method = 'GET', headers = {}, body, signal } = request;
    const { headers: proof, ...pair } = await credentials.current();
    const options: RequestOptions = {
      method,
      headers: { ...headers, ...proof },
      agent: await agents(pair),
      ...(signal === undefined ? {} : { signal }),
    };
    const open = url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((done, reject) => {
      open(url, options, done).on('error', reject).end(body);
    });
  };
  return {
    prepare: async () => void (await credentials.current()),
    async send(request) {
      let answer = await once(request);
      if (answer.statusCode === 401 && credentials.renew()) {
        answer.resume();
        answer = await once(request);
      }
      requireApi(answer, cluster.server);
      return answer;
    },
  };
}

/**
 * Calls `onLine` for each line of an answer. Resolves at its end and when `signal` aborts; rejects when it is refused or
 * cut off.
 */
export async function readLines(
  transport: Transport,
  {
    url,
    onLine,
    signal,
  }: { readonly url: URL; readonly onLine: (line: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  try {
    const answer = await transport.send({ url, signal });
    if (answer.statusCode !== 200) {
      const { statusCode: code, headers } = answer;
      throw Object.assign(new Error(`HTTP ${code}`), { code, headers, body: await textOf(answer) });
    }
    let cut: unknown;
    answer.on('error', (error) => {
      cut = error;
    });
    for await (const line of createInterface(answer)) onLine(line);
    if (cut !== undefined) throw cut;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The whole of an answer. */
export async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The connections of a cluster, for each certificate that its user has shown; they are few. */
function createAgents(cluster: ClusterAccess) {
  const { server, ca, skipsVerify, tlsServerName, proxyUrl } = cluster;
  const known = new Map<string, RequestOptions['agent']>();
  return async ({ cert, key }: Omit<Credentials, 'headers'>): Promise<RequestOptions['agent']> => {
    const name = String(cert ?? '');
    const found = known.get(name);
    if (found !== undefined) return found;
    const tls = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      ...(skipsVerify ? { rejectUnauthorized: false } : {}),
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
    };
    const direct = () => (server.startsWith('https:') ? new HttpsAgent(tls) : new HttpAgent());
    const agent = proxyUrl === undefined ? direct() : await proxyAgent(cluster, { cert, key });
    known.set(name, agent);
    return agent;
  };
}

/** The client library brings agents for proxies of every kind. */
async function proxyAgent(
  { server, ca, skipsVerify, tlsServerName = '', proxyUrl = '' }: ClusterAccess,
  { cert, key }: Omit<Credentials, 'headers'>,
): Promise<RequestOptions['agent']> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
  config.loadFromClusterAndUser(
    {
      ...{ name: 'cluster', server, proxyUrl, skipTLSVerify: skipsVerify },
      ...(ca === undefined ? {} : { caData: base64(ca) }),
      ...(tlsServerName === '' ? {} : { tlsServerName }),
    },
    {
      name: 'user',
      ...(cert === undefined || key === undefined ? {} : { certData: base64(cert), keyData: base64(key) }),
    },
  );
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options as never);
  return options.agent;
}

/** An API server answers with JSON, or a log with text; a login in front of it, with pages and other addresses. */
function requireApi(answer: IncomingMessage, server: string): void {
  const { statusCode = 0, headers } = answer;
  const type = headers['content-type'] ?? '';
  const isRedirect = statusCode >= 300 && statusCode < 400 && headers.location !== undefined;
  const isPage = statusCode < 500 && /^(text\/html|application\/xhtml)/i.test(type);
  if (!isRedirect && !isPage) return;
  answer.resume();
  const found = isRedirect ? `another address (${headers.location})` : `a web page (${type.split(';')[0]})`;
  throw new UsageError(
    `${server} answers HTTP ${statusCode} with ${found}: expected a Kubernetes API server. Log in to the cluster, or check the server of the kubeconfig.`,
  );
}
