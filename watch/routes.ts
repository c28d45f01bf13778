/** The pages of runs as routes: the list, each run, and the events of both. */
import { fileURLToPath } from 'node:url';
import express, { type Express, type RequestHandler } from 'express';
import { volumesBelow } from '../lib/formats/runs/find-run.js';
import { route } from '../lib/http/answers.js';
import { HttpProblem } from '../lib/http/problems.js';
import { createRunList, inLink } from './list-view.js';
import { pageHeaders, renderLivePage, renderProblem } from './live-page.js';
import type { LiveView } from './live-view.js';
import { createRunView } from './run-view.js';
import { createStreams } from './streams.js';

/** The runs of a folder, to be shown. */
export interface RunPages {
  /** Adds `/runs…` and `/live/…`. */
  addTo(app: Express, options: RunRouteOptions): void;
  /** A page that says what went wrong at one of these addresses. */
  readonly renderProblem: typeof renderProblem;
  /** Ends everybody's events, so that the server can stop. */
  close(): void;
}

interface RunRouteOptions {
  readonly isTls: boolean;
}

/** Script of the pages; `npm run build` copies it beside the compiled module. */
const STATIC_FILES = fileURLToPath(new URL('./public/', import.meta.url));
/** Runs that nobody watches are remembered up to this number. */
const MOST_UNWATCHED = 8;

/** Opens the runs below a folder, or the one run that lies there. @throws {DataError} where there is no such folder */
export async function openRunPages(folder: string): Promise<RunPages> {
  await volumesBelow(folder);
  const list = createRunList(folder);
  const streams = createStreams();
  const views = new Map<string, LiveView>();
  const viewOf = async (address: string): Promise<LiveView> => {
    const volume = await list.volumeAt(address);
    const known = views.get(address);
    if (volume === undefined && known === undefined)
      throw new HttpProblem(404, `There is no run ${address} below ${folder}.`);
    const view = known ?? createRunView(volume ?? '');
    // The last one to be forgotten is the one that was asked for last.
    views.delete(address);
    const unwatched = [...views].filter(([, { isFollowed }]) => !isFollowed);
    for (const [each] of unwatched.slice(0, Math.max(0, unwatched.length - MOST_UNWATCHED)))
      views.delete(each);
    views.set(address, view);
    return view;
  };
  /** What stands behind the prefix of a route, decoded. */
  const addressOf = ({ params }: { readonly params: unknown }): string =>
    (params as { readonly path: readonly string[] }).path.join('/');

  const page =
    (find: (address: string) => Promise<LiveView>, isList: boolean): RequestHandler =>
    async (request, response) => {
      const address = isList ? '' : addressOf(request);
      const news = await (await find(address)).news();
      const events = news.isOver ? undefined : `/live/events${isList ? '' : `/${inLink(address)}`}`;
      response
        .type('html')
        .set('Cache-Control', 'no-store')
        .send(renderLivePage({ news, events, list: isList ? undefined : '/runs' }));
    };
  return {
    renderProblem,
    addTo(app, { isTls }) {
      app.use(['/runs', '/live'], pageHeaders({ isTls }));
      route(app, '/runs', { get: [page(async () => list.view, true)] });
      route(app, '/runs/*path', { get: [page(viewOf, false)] });
      route(app, '/live/events', {
        get: [(request, response) => streams.open(list.view, request, response)],
      });
      route(app, '/live/events/*path', {
        get: [async (request, response) => streams.open(await viewOf(addressOf(request)), request, response)],
      });
      app.use('/live', express.static(STATIC_FILES, { index: false, redirect: false }));
    },
    close() {
      streams.close();
      list.view.close();
      for (const view of views.values()) view.close();
    },
  };
}
