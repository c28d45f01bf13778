/** The runs below a folder as they go: one row each, with how it stands and what came of it. */
import { basename, relative, sep } from 'node:path';
import { DataError, toErrorMessage } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import { lockHolder } from '../lib/formats/files/lock-file.js';
import { readRunRecord } from '../lib/formats/run-record.js';
import { volumesBelow } from '../lib/formats/runs/find-run.js';
import type { RunRow } from '../lib/formats/runs/run-rows.js';
import { volumePaths } from '../lib/formats/volume.js';
import { type Html, html } from '../lib/html/html.js';
import { dateOf, grouped, metricText } from '../report/format.js';
import { readRow } from '../report/list/run-list.js';
import { shownPieces } from './live-page.js';
import { createLiveView, type LiveView, type Shown } from './live-view.js';
import { STATES, stateBadge } from './now-section.js';
import { volumeMark } from './volume-reader.js';

/** A volume of the list. */
interface Entry {
  readonly mark: string;
  readonly row?: RunRow;
  /** Why there is no row. */
  readonly fault?: string;
}

/** The list of runs below a folder. */
export interface RunList {
  readonly view: LiveView;
  /** The volume at an address below /runs; undefined where no run lies there. */
  volumeAt(address: string): Promise<string | undefined>;
}

/** Makes the list. */
export function createRunList(folder: string): RunList {
  const entries = new Map<string, Entry>();
  const view = createLiveView({
    directories: [folder],
    async look() {
      try {
        const volumes = await volumesBelow(folder);
        for (const volume of entries.keys()) if (!volumes.includes(volume)) entries.delete(volume);
        for (const volume of volumes) entries.set(volume, await readEntry(volume, entries.get(volume)));
        return showList(folder, entries);
      } catch (error) {
        return showList(folder, entries, faultOf(error));
      }
    },
  });
  return {
    view,
    async volumeAt(address) {
      const known = () => [...entries.keys()].find((volume) => addressOf(volume, folder) === address);
      // One that has just begun is not on the list yet.
      return known() ?? (await view.news().then(known));
    },
  };
}

/** The address of a volume: its path from the folder, or the name of the folder where it is one. */
const addressOf = (volume: string, folder: string): string =>
  volume === folder ? basename(folder) : relative(folder, volume).split(sep).join('/');

/** An address as it stands in a link. */
export const inLink = (address: string): string => address.split('/').map(encodeURIComponent).join('/');

/** What the file system or a record says that is not as it should be. @throws what is a bug */
function faultOf(error: unknown): string {
  if (!(error instanceof DataError) && errorCode(error) === '') throw error;
  return toErrorMessage(error).message;
}

async function readEntry(volume: string, before: Entry | undefined): Promise<Entry> {
  const paths = volumePaths(volume);
  try {
    const mark = `${await volumeMark(paths)}\n${JSON.stringify(await lockHolder(paths.lock))}`;
    if (mark === before?.mark) return before;
    try {
      return { mark, row: await readRow({ volume, run: await readRunRecord(paths.run) }) };
    } catch (error) {
      return { mark, fault: faultOf(error) };
    }
  } catch (error) {
    return { mark: '', fault: faultOf(error) };
  }
}

type Listed = Entry & { readonly address: string };

function showList(folder: string, entries: ReadonlyMap<string, Entry>, fault?: string): Shown {
  const runs = [...entries].map(
    ([volume, entry]): Listed => ({ ...entry, address: addressOf(volume, folder) }),
  );
  const begun = ({ row }: Entry) => row?.createdAt ?? '';
  runs.sort((a, b) => (begun(a) < begun(b) ? 1 : begun(a) > begun(b) ? -1 : a.address < b.address ? -1 : 1));
  const count = (state: RunRow['state']) => runs.filter(({ row }) => row?.state === state).length;
  const running = count('running');
  const others = (['begun', 'finished', 'failed', 'interrupted', 'stopped'] as const)
    .filter((state) => count(state) > 0)
    .map((state) => [STATES[state].word, grouped(count(state))] as const);
  return {
    title: running > 0 ? `${running} running, runs` : 'Runs',
    isOver: false,
    pieces: shownPieces({
      ...{ command: 'watch', title: 'Runs', lead: `Below ${folder}, the newest first` },
      alarm: fault === undefined ? undefined : html`<p class="alarm">${fault}</p>`,
      figures: [['running', grouped(running)], ...others],
      main: [runs.length === 0 ? html`<p class="card">There is no run yet.</p>` : table(runs)],
      foot: html`Made by fedbatch from the files of each run.`,
    }),
  };
}

const table = (runs: readonly Listed[]): Html =>
  html`<section class="card"><h2 class="hidden">The runs</h2><div class="scroll" role="region" tabindex="0" aria-label="The runs"><table class="runs">
    <thead><tr><th scope="col">run</th><th scope="col">state</th><th scope="col">result</th><th scope="col" class="number">rounds</th><th scope="col" class="minor">model</th><th scope="col" class="minor">data</th><th scope="col" class="minor">begun</th></tr></thead>
    <tbody>${runs.map(rowOf)}</tbody>
  </table></div></section>`;

function rowOf({ address, row, fault }: Listed): Html {
  const link = html`<a href="/runs/${inLink(address)}">${row?.name ?? row?.id ?? address}</a>`;
  if (row === undefined) return html`<tr><th scope="row">${link}</th><td colspan="6">${fault}</td></tr>`;
  const { state, metric, value, rounds, most, model, dataset, createdAt } = row;
  return html`<tr><th scope="row">${link}</th><td>${stateBadge(state)}</td>
    <td>${metric !== undefined && value !== undefined && `${metric} ${metricText(metric, value)}`}</td>
    <td class="number">${grouped(rounds)} of ${grouped(most)}</td><td class="minor">${model}</td><td class="minor">${basename(dataset)}</td><td class="minor">${dateOf(createdAt)}</td></tr>`;
}
