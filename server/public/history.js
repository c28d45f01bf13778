/** What was read in this visit: kept in this tab's session storage, so that a reload keeps it and closing the tab does not. */
import { formatShare, isBlank, reading, sureness } from './words.js';

/** Of this kind of answers. */
const KEY = 'fedbatch-history-2';
const MOST_ENTRIES = 12;

/** Shows the history and keeps it. `show(answer, pictureUrl)` is called when someone chooses an entry. */
export function openHistory(show) {
  const section = document.getElementById('history');
  const list = document.getElementById('past');
  let entries = load();

  const draw = () => {
    section.hidden = entries.length === 0;
    list.replaceChildren(
      ...entries.map(({ answer, pictureUrl }) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.className = 'past-entry';
        const picture = new Image();
        picture.src = pictureUrl;
        picture.alt = '';
        const read = document.createElement('strong');
        read.textContent = reading(answer);
        const share = document.createElement('span');
        share.textContent = isBlank(answer) ? 'found' : formatShare(Math.min(...answer.digits.map(sureness)));
        button.append(picture, read, share);
        button.addEventListener('click', () => show(answer, pictureUrl));
        return button;
      }),
    );
  };
  document.getElementById('forget').addEventListener('click', () => {
    entries = [];
    save(entries);
    draw();
  });
  draw();

  return {
    /** Adds an answer in front; one of the same `entry` as the newest takes its place. */
    add(answer, pictureUrl, entry) {
      const older = entry !== undefined && entries[0]?.entry === entry ? entries.slice(1) : entries;
      entries = [{ answer, pictureUrl, entry }, ...older].slice(0, MOST_ENTRIES);
      save(entries);
      draw();
    },
  };
}

/** Storage may be full, forbidden, or hold what an older page wrote: then the visit begins anew. */
function load() {
  try {
    const entries = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
    // A drawing that goes on after a reload is another one.
    return entries.map(({ answer, pictureUrl }) => ({ answer, pictureUrl }));
  } catch {
    return [];
  }
}

function save(entries) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(entries));
  } catch {
    // Kept in memory alone.
  }
}
