/** A run as it goes: how it stands, what it is at, and the sections of its report as of now. */
import { basename } from 'node:path';
import { messageOf } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import { lockHolder } from '../lib/formats/files/lock-file.js';
import { type RunStatus, readRunStatus } from '../lib/formats/runs/run-status.js';
import { volumePaths } from '../lib/formats/volume.js';
import { html } from '../lib/html/html.js';
import type { Page } from '../report/frame.js';
import { reportOf } from '../report/report.js';
import { type ReportRecords, readReportRecords } from '../report/report-records.js';
import { shownPieces } from './live-page.js';
import { createLiveView, type LiveView, type Shown } from './live-view.js';
import { nowSection, STATES, standing } from './now-section.js';
import { createVolumeReader, NOTHING, volumeMark } from './volume-reader.js';

/** What is known of a run at one time. */
interface Known {
  readonly volume: string;
  /** Undefined where nothing there tells of a run. */
  readonly status?: RunStatus | undefined;
  /** Undefined where `run.json` cannot be read. */
  readonly records?: ReportRecords | undefined;
  /** What is wrong on the volume. */
  readonly faults: readonly string[];
}

/** Makes the view of the run on a volume. */
export function createRunView(volume: string): LiveView {
  const paths = volumePaths(volume);
  const reader = createVolumeReader(volume);
  let [mark, known]: [string?, Known?] = [];

  const read = async (): Promise<Known> => {
    const faults: string[] = [];
    const unlessFaulty = async <T>(reading: Promise<T>): Promise<T | undefined> => {
      try {
        return await reading;
      } catch (error) {
        faults.push(messageOf(error));
        return undefined;
      }
    };
    const status = await unlessFaulty(readRunStatus(volume));
    const records = await unlessFaulty(reader.reading((record) => readReportRecords(paths, record)));
    const all = new Set([...faults, ...reader.faults(), ...(status?.notes ?? [])]);
    return { volume, status, records, faults: [...all] };
  };
  return createLiveView({
    directories: [volume],
    async look(before) {
      const found = await volumeMark(paths).catch(
        (error: unknown) => errorCode(error) || Promise.reject(error),
      );
      // A process that is gone changes no file.
      const next = `${found}\n${JSON.stringify(await lockHolder(paths.lock))}`;
      if (before !== undefined && next === mark) return before;
      mark = next;
      if (found === NOTHING && known !== undefined) {
        return showRun({ ...known, faults: [`${volume} is no longer there; this is what it held at last.`] });
      }
      known = await read();
      return showRun(known);
    },
  });
}

/** The page of a run. */
function showRun({ volume, status, records, faults }: Known): Shown {
  const report: Page =
    records === undefined
      ? {
          ...{ command: 'run', title: basename(volume), lead: 'What this run is cannot be read.' },
          ...{ figures: [], main: [], foot: html`${volume}` },
        }
      : reportOf(records);
  const isOver = status?.state === 'finished';
  const isOpen = status?.now !== undefined;
  const notes = faults.map((fault) => html`<p class="alarm">${fault}</p>`);
  const content: Page = {
    ...report,
    ...(status === undefined ? {} : { state: STATES[status.state] }),
    // How a run stands that is not over is told in more detail than its records know.
    alarm: html`${status !== undefined && !isOver && standing(status)}${notes}${isOpen ? undefined : report.alarm}`,
    main: [status && nowSection(status, records?.rounds ?? []), ...report.main],
  };
  const round = status?.now?.round;
  return {
    title: round === undefined ? report.title : `Round ${round}, ${report.title}`,
    pieces: shownPieces(content),
    isOver,
  };
}
