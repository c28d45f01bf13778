/** Reads a long answer of the API server line by line; client-node's own log reader does not tell when it was cut off. */
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps, type RequestOptions } from 'node:https';
import { createInterface } from 'node:readline';
import type { KubeConfig } from '@kubernetes/client-node';

/** What to read. */
export interface StreamOptions {
  readonly url: URL;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves at the end of the answer, and when `signal` aborts; rejects when it is refused or cut off. */
export async function streamLines(config: KubeConfig, { url, onLine, signal }: StreamOptions): Promise<void> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options as never);
  const get = url.protocol === 'https:' ? getHttps : getHttp;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { ...options, signal }, resolve).on('error', reject);
    });
    if (response.statusCode !== 200) {
      response.resume();
      throw Object.assign(new Error(`HTTP ${response.statusCode}`), { code: response.statusCode });
    }
    let cut: unknown;
    response.on('error', (error) => {
      cut = error;
    });
    for await (const line of createInterface(response)) onLine(line);
    if (cut !== undefined) throw cut;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
