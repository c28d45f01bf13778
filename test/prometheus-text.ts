/** Reads what programs tell Prometheus, and stands in for a Pushgateway. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The samples of a text, by name and labels as they are written: `fedbatch_run_round{run="a"}`. */
export function samplesOf(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', value = ''] = /^(fedbatch_\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    assert.notEqual(name, '', line);
    assert.ok(!samples.has(name), `${name} twice`);
    samples.set(name, value === 'Nan' ? Number.NaN : Number(value.replace('Inf', 'Infinity')));
  }
  return samples;
}

/** The metrics that a text declares, with their kinds. */
export function declaredIn(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', kind = '']) => [name, kind]),
  );
}

/** What was pushed at once. */
export interface Push {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly text: string;
}

/** A Pushgateway that passes on what it is told; `onPush` ends before it answers. */
export async function startGateway(onPush: (push: Push) => Promise<void> | void) {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    await onPush({ method: request.method, path: request.url, text });
    response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise<unknown>((resolve) => server.close(resolve).closeAllConnections()),
  };
}
