/** Which code has run: V8's own block coverage, asked from inside the process, so that nothing is rewritten to be measured. */
import { type Profiler, Session } from 'node:inspector';

/** Tells new code from code that has run before. */
export interface Coverage {
  /** What ran since the last look, and had not run before. */
  look(): Found;
  /** Bytes of source that are known to run. */
  readonly seenBytes: () => number;
  /** Begins anew: nothing is known to run. */
  forget(): void;
}

/** New code. */
export interface Found {
  /** Bytes of source. */
  readonly bytes: number;
  /** Makes it code that is known to run. */
  remember(): void;
}

/** A piece of a script, from and to in characters. */
type Span = readonly [start: number, end: number];

/** Begins to count. Modules that are to be seen are loaded afterwards. @param isWanted by the address of a script */
export function startCoverage(isWanted: (url: string) => boolean): Coverage {
  const session = new Session();
  session.connect();
  post(session, 'Profiler.enable');
  post(session, 'Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const wanted = new Map<string, boolean>();
  /** What of each function has never run. */
  const functions = new Map<string, readonly Span[]>();
  let seen = 0;

  const isSeen = (url: string): boolean => {
    const known = wanted.get(url) ?? (url.startsWith('file:') && isWanted(url));
    wanted.set(url, known);
    return known;
  };

  return {
    look() {
      const changed = new Map<string, { readonly whole: Span; readonly missing: readonly Span[] }>();
      let bytes = 0;
      for (const { url, scriptId, functions: ran } of take(session)) {
        if (!isSeen(url)) continue;
        for (const {
          ranges: [whole, ...inner],
        } of ran) {
          if (whole === undefined || whole.count === 0) continue;
          const span: Span = [whole.startOffset, whole.endOffset];
          const key = `${scriptId}:${span.join(':')}`;
          const before = functions.get(key) ?? [span];
          const missing = bothOf(before, missingIn(inner));
          const added = sizeOf(before) - sizeOf(missing);
          if (added === 0) continue;
          bytes += added;
          changed.set(key, { whole: span, missing });
        }
      }
      return {
        bytes,
        remember() {
          for (const [key, { whole, missing }] of changed) {
            const before = functions.get(key) ?? [whole];
            const left = bothOf(before, missing);
            seen += sizeOf(before) - sizeOf(left);
            functions.set(key, left);
          }
        },
      };
    },
    seenBytes: () => seen,
    forget() {
      functions.clear();
      seen = 0;
    },
  };
}

/** Answers come before the call returns: the session is of the same thread. */
function post(session: Session, method: string, parameters: object = {}): object {
  let answer: object | undefined;
  session.post(method, parameters, (error, result) => {
    if (error !== null) throw new Error(`${method}: ${JSON.stringify(error)}`);
    answer = result ?? {};
  });
  if (answer === undefined) throw new Error(`${method} was not answered at once`);
  return answer;
}

/** Counts begin anew with each call. */
function take(session: Session): readonly Profiler.ScriptCoverage[] {
  return (post(session, 'Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType).result;
}

/** What of a function did not run. A range lies within the one before it, or behind it; the innermost one counts. */
function missingIn(ranges: readonly Profiler.CoverageRange[]): readonly Span[] {
  const missing: Span[] = [];
  const open: Profiler.CoverageRange[] = [];
  let at = 0;
  const upTo = (end: number) => {
    if (open.at(-1)?.count === 0 && end > at) missing.push([at, end]);
    at = Math.max(at, end);
  };
  for (const range of ranges) {
    for (
      let last = open.at(-1);
      last !== undefined && last.endOffset <= range.startOffset;
      last = open.at(-1)
    ) {
      upTo(last.endOffset);
      open.pop();
    }
    upTo(range.startOffset);
    open.push(range);
  }
  for (let last = open.pop(); last !== undefined; last = open.pop()) {
    open.push(last);
    upTo(last.endOffset);
    open.pop();
  }
  return missing;
}

/** What lies in both, of spans in their order. */
function bothOf(a: readonly Span[], b: readonly Span[]): readonly Span[] {
  const both: Span[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const [x, y] = [a[i] as Span, b[j] as Span];
    const [start, end] = [Math.max(x[0], y[0]), Math.min(x[1], y[1])];
    if (end > start) both.push([start, end]);
    if (x[1] < y[1]) i++;
    else j++;
  }
  return both;
}

const sizeOf = (spans: readonly Span[]): number => spans.reduce((sum, [start, end]) => sum + end - start, 0);
