/** A real HTTP server on loopback that serves one file, well or badly: for tests of the download. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the server saw it. */
interface SeenRequest {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** Answers one request; `turn` counts the requests from 0. */
export type TestAnswer = (request: IncomingMessage, response: ServerResponse, turn: number) => void;

/** A running server. */
export interface TestServer {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  close(): Promise<void>;
}

/** Starts a server; close it at the end of the test. */
export async function serveForTest(answer: TestAnswer): Promise<TestServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    requests.push({
      range: request.headers.range,
      ifRange: request.headers['if-range'] as string | undefined,
    });
    answer(request, response, requests.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/file.npz`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** How a file is served. */
interface Serving {
  readonly bytes: Uint8Array;
  readonly etag?: string;
  /** Sends so many bytes of this answer, and breaks the connection once `arrived` says that they are there. */
  readonly cut?: { readonly after: number; readonly arrived: (upTo: number) => Promise<void> } | undefined;
}

/** Answers as a good server does: ranges with If-Range, 416 beyond the end. */
export function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, etag = '"v1"', cut }: Serving,
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN);
  const ranged = Number.isFinite(from) && (request.headers['if-range'] ?? etag) === etag;
  if (ranged && from >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const body = bytes.subarray(ranged ? from : 0);
  response.writeHead(ranged ? 206 : 200, {
    etag,
    'content-length': body.length,
    ...(ranged && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (cut === undefined) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, cut.after));
  void cut.arrived((ranged ? from : 0) + cut.after).finally(() => response.destroy());
}
