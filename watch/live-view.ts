/** Something that changes, looked at once for all who watch it: each is told the pieces that are new to it. */
import { randomBytes } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { type Html, toText } from '../lib/html/html.js';

/** A page as it stands. */
export interface Shown {
  readonly title: string;
  /** Its pieces by their names, from top to bottom. */
  readonly pieces: Readonly<Record<string, Html>>;
  /** Nothing will change any more. */
  readonly isOver: boolean;
}

/** What is new to somebody who has seen an earlier version. */
export interface News extends Shown {
  /** Names what is shown now. */
  readonly version: string;
  /** The pieces that have changed since, as markup. */
  readonly changed: Readonly<Record<string, string>>;
}

/** A page that is looked at again and again while somebody watches it, and never otherwise. */
export interface LiveView {
  /** What is shown now, and what of it is new since a version; all is where there is none, or it is of another time. */
  news(seen?: string): Promise<News>;
  /** Tells of every change from now on, until what it returns is called. */
  follow(changed: () => void): () => void;
  readonly isFollowed: boolean;
  close(): void;
}

/** How one looks. */
interface LookOptions {
  /** The page as it stands; the page before where nothing has changed. */
  readonly look: (before: Shown | undefined) => Promise<Shown>;
  /** Directories in which changes are told of by the system, where it does: on NFS it does not. */
  readonly directories: readonly string[];
}

/** Between two looks at least, whatever the system tells. */
const SHORTEST_MS = 200;
/** Between two looks where nothing is told. */
const USUAL_MS = 1_000;
/** So many times as long as a look takes passes before the next: large runs cost no more than a tenth of a core. */
const REST = 9;

/** Makes the view. */
export function createLiveView({ look, directories }: LookOptions): LiveView {
  // Versions of another process, or of a view that was let go, are none of this one's.
  const era = randomBytes(6).toString('hex');
  const followers = new Set<() => void>();
  const told: FSWatcher[] = [];
  let [shown, looking]: [Shown?, Promise<Shown>?] = [];
  let [change, spentMs, lookedAt] = [0, 0, Number.NEGATIVE_INFINITY];
  /** With which change each piece came. */
  let changes: Readonly<Record<string, number>> = {};
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Number.POSITIVE_INFINITY;

  const lookAgain = async (): Promise<Shown> => {
    const begun = performance.now();
    const before = shown;
    const next = await look(before);
    lookedAt = performance.now();
    spentMs = lookedAt - begun;
    if (next === before) return next;
    const names = Object.keys(next.pieces);
    const isSame = (name: string) => textOf(before, name) === textOf(next, name);
    if (before?.isOver === next.isOver && before.title === next.title && names.every(isSame)) return before;
    change++;
    changes = Object.fromEntries(
      names.map((name) => [name, isSame(name) ? (changes[name] ?? change) : change]),
    );
    shown = next;
    for (const tell of [...followers]) tell();
    return next;
  };
  /** One look at a time: who asks meanwhile gets what it finds. */
  const lookOnce = (): Promise<Shown> => {
    looking ??= lookAgain().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const schedule = (afterMs: number) => {
    const due = Math.max(performance.now() + afterMs, lookedAt + spentMs * REST);
    // What is told without a pause must not put the next look off for ever.
    if (followers.size === 0 || dueAt <= due) return;
    clearTimeout(timer);
    dueAt = due;
    timer = setTimeout(lookNow, due - performance.now());
  };
  const lookNow = () => {
    dueAt = Number.POSITIVE_INFINITY;
    // What went wrong is told to whoever asks for the page.
    void lookOnce()
      .catch(() => undefined)
      .finally(() => schedule(USUAL_MS));
  };
  const begin = () => {
    for (const directory of directories) {
      try {
        told.push(
          watch(directory, { persistent: false }, () => schedule(SHORTEST_MS)).on('error', () => undefined),
        );
      } catch {
        // Not there yet, or the system has no watches left: looking again and again is enough.
      }
    }
    schedule(USUAL_MS);
  };
  const end = () => {
    clearTimeout(timer);
    dueAt = Number.POSITIVE_INFINITY;
    for (const each of told.splice(0)) each.close();
  };

  return {
    async news(seen = '') {
      const isFresh = performance.now() - lookedAt < SHORTEST_MS + spentMs * REST;
      const now = shown !== undefined && (isFresh || followers.size > 0) ? shown : await lookOnce();
      const [eraSeen, number] = seen.split('-');
      const last = eraSeen === era && number !== undefined ? Number(number) : -1;
      const changed = Object.entries(now.pieces).filter(([name]) => (changes[name] ?? 0) > last);
      return {
        ...now,
        version: `${era}-${change}`,
        changed: Object.fromEntries(changed.map(([name, piece]) => [name, toText(piece)])),
      };
    },
    follow(changed) {
      followers.add(changed);
      if (followers.size === 1) begin();
      return () => {
        followers.delete(changed);
        if (followers.size === 0) end();
      };
    },
    get isFollowed() {
      return followers.size > 0;
    },
    close() {
      followers.clear();
      end();
    },
  };
}

function textOf(page: Shown | undefined, name: string): string | undefined {
  const piece = page?.pieces[name];
  return piece && toText(piece);
}
