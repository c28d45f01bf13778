/** The main path of `fedbatch watch`: find the runs, listen on this machine, show them until told to stop. */
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import express, { type Express } from 'express';
import type { ProgramContext } from '../lib/cli/program.js';
import { exists } from '../lib/formats/files/read-file.js';
import { findVolume } from '../lib/formats/runs/find-run.js';
import { RUNS, volumePaths } from '../lib/formats/volume.js';
import { answerProblems, notFound, route } from '../lib/http/answers.js';
import { requireHost } from '../lib/http/hosts.js';
import { listenAt } from '../lib/http/listen.js';
import type { Reporter } from '../lib/observability/events.js';
import { openRunPages, type RunPages } from './routes.js';

/** What to watch, and where to show it. */
interface WatchSettings {
  /** A folder of runs, the volume of a run, or the name or id of one. */
  readonly place: string;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
}

/**
 * Shows runs until `signal` aborts; writes the address to stdout once it answers.
 *
 * @throws {DataError} where there is no such folder
 * @throws {UsageError} where a name means no run, or the port cannot be had
 */
export async function watchRuns({ place, port }: WatchSettings, context: ProgramContext): Promise<void> {
  const { reporter, signal } = context;
  const folder = await folderOf(place, context);
  const isRun = await exists(volumePaths(folder).run);
  const first = isRun ? `/runs/${encodeURIComponent(basename(folder))}` : '/runs';
  const pages = await openRunPages(folder);
  const server = await listenAt(createWatchApp(pages, { first, reporter }), { host: '127.0.0.1', port });
  try {
    process.stdout.write(`Listening on ${server.url}${first}\n`);
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    pages.close();
    await server.close();
  }
}

/** What a word means: a folder that is there, else a run below the folder of runs. */
async function folderOf(place: string, { reporter }: ProgramContext): Promise<string> {
  const isFolder = await stat(place).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  if (isFolder) return resolve(place);
  if (place !== RUNS && !/[/\\]/.test(place)) {
    return resolve(await findVolume(place, { warn: (message) => reporter.warn(message) }));
  }
  return resolve(place);
}

/** The application: the pages of runs, and the way there. */
export function createWatchApp(
  pages: RunPages,
  { first, reporter }: { readonly first: string; readonly reporter: Reporter },
): Express {
  const app = express();
  app.disable('x-powered-by').set('query parser', 'simple');
  app.use((request, _response, next) => {
    requireHost(request, { names: [] });
    next();
  });
  pages.addTo(app, { isTls: false });
  route(app, '/', { get: [(_request, response) => response.redirect(first)] });
  app.use(notFound);
  app.use(answerProblems(reporter, pages.renderProblem));
  return app;
}
