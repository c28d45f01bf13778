/** Server-sent events: each who watches a page gets the pieces that have changed, at the pace at which they read. */
import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { HttpProblem } from '../lib/http/problems.js';
import type { LiveView } from './live-view.js';

/** Proxies take a connection for dead on which nothing is said for a minute or so. */
const QUIET_MS = 20_000;
/** How long a browser waits before it connects again. */
const RETRY_MS = 2_000;
/** Open at once at most, of all pages together. */
const MOST_STREAMS = 1_000;

/** All who watch. */
export interface Streams {
  /** Sends the events of a view until the client goes, or there are no more. @throws {HttpProblem} 503 where too many watch */
  open(view: LiveView, request: Request, response: Response): void;
  /** Ends all of them: the server stops. */
  close(): void;
}

/** Makes an empty list. */
export function createStreams(): Streams {
  const open = new Set<ServerResponse>();
  return {
    open(view, request, response) {
      if (open.size >= MOST_STREAMS)
        throw new HttpProblem(503, `${MOST_STREAMS} pages are watched already; try again later.`, {
          headers: { 'Retry-After': '60' },
        });
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        // nginx holds answers back otherwise.
        'X-Accel-Buffering': 'no',
      });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      open.add(response);
      response.write(`retry: ${RETRY_MS}\n\n`);
      // A browser that connects again names the last event that it got.
      const given = request.get('Last-Event-ID') ?? request.query.seen;
      let seen = typeof given === 'string' ? given : '';
      let isSending = false;
      let isStale = false;
      const send = async () => {
        isStale = isSending || response.writableNeedDrain;
        if (isStale || response.writableEnded) return;
        isSending = true;
        try {
          const { version, title, changed, isOver } = await view.news(seen);
          if (version !== seen) {
            response.write(`id: ${version}\nevent: pieces\ndata: ${JSON.stringify({ title, changed })}\n\n`);
            seen = version;
          }
          if (isOver) response.end('event: over\ndata: \n\n');
        } catch {
          // The client connects again, and is told there what is wrong.
          response.end();
        } finally {
          isSending = false;
        }
        if (isStale) await send();
      };
      const unfollow = view.follow(() => void send());
      const pulse = setInterval(() => response.writableEnded || response.write(':\n\n'), QUIET_MS);
      response.on('drain', () => isStale && void send());
      response.once('close', () => {
        unfollow();
        clearInterval(pulse);
        open.delete(response);
      });
      void send();
    },
    close() {
      for (const response of open) response.end();
    },
  };
}
