/** Parts of the data that go into files of their own, and their rows, dealt when they are first asked for. */
import type { ExampleRows, InputRows } from '../lib/federation/example-rows.js';
import type { ScratchFile } from '../lib/formats/files/scratch-file.js';
import type { Reporter } from '../lib/observability/events.js';
import { BUCKET_BYTES, type DealtRows, dealRows } from './dealt-rows.js';
import type { SplitPart } from './held-out.js';

/** Which examples of which source go into a file. */
export interface FilePart extends SplitPart {
  readonly source: ExampleRows;
  /** What the data call the client, where they tell. */
  readonly owner?: string;
  /** What the client holds out. */
  readonly ownTest?: FilePart;
}

/** The rows that a part has of the input at a place. */
export type PartRows = (part: FilePart, at: number) => Promise<InputRows>;

interface DealOptions {
  /** Takes rows that are more than memory holds while they are dealt. */
  readonly scratch: ScratchFile;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/** Deals each input once to all parts, which had better be asked for in their order. */
export function dealParts(all: readonly FilePart[], { scratch, reporter, signal }: DealOptions): PartRows {
  const partsOf = new Map<ExampleRows, FilePart[]>();
  const places = new Map<FilePart, number>();
  for (const part of all) {
    const parts = partsOf.get(part.source) ?? [];
    partsOf.set(part.source, parts);
    places.set(part, parts.push(part) - 1);
  }
  const dealt = new Map<InputRows, Promise<DealtRows>>();
  const deal = (source: ExampleRows, input: InputRows) => {
    const total = input.shape[0] ?? 0;
    let done = 0;
    const onRows = (rows: number) => {
      signal?.throwIfAborted();
      done += rows;
      reporter.progress({ stage: 'deal', done, total, unit: 'examples' });
    };
    const parts = (partsOf.get(source) ?? []).map(({ indices }) => indices);
    return dealRows(input, { parts, scratch, onRows, bucketBytes: BUCKET_BYTES / source.inputs.length });
  };
  return async (part, at) => {
    const input = part.source.inputs[at] as InputRows;
    let rows = dealt.get(input);
    if (rows === undefined) {
      rows = deal(part.source, input);
      dealt.set(input, rows);
    }
    return (await rows)(places.get(part) as number);
  };
}
