/** A campaign against one target, in pieces that a journal remembers: what was read, what was kept, what failed. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { nameOf, readCorpus } from './corpus.js';
import type { Cost, Failure } from './messages.js';
import { ReaderGone, type ReaderProcess, startReader } from './reader-process.js';

/** Inputs that are made of one seed; a campaign that is cut off begins its piece again. */
const PIECE_INPUTS = 1_000;
/** What an input may cost: processor time, and memory above what the process takes by itself. */
const MOST: Cost = { cpuMs: 2_000, addedBytes: 256 * 2 ** 20 };
const NOTHING: Cost = { cpuMs: 0, addedBytes: 0 };

/** What is asked of a campaign. */
export interface CampaignOptions {
  readonly target: string;
  /** In all, those that the journal remembers among them. */
  readonly inputs: number;
  readonly seed: number;
  /** No piece begins after this time. */
  readonly untilMs: number;
  /** Remembers pieces, so that another day goes on. */
  readonly journal: string | undefined;
  readonly tell: (line: string) => void;
}

/** What a campaign came to, with all that its journal remembers. */
export interface CampaignResult {
  readonly target: string;
  readonly inputs: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly corpus: readonly Uint8Array[];
  /** Bytes of source that are known to run. */
  readonly seenBytes: number;
  /** Of single inputs, as they were read beside others. */
  readonly most: Cost;
}

/** A line of a journal. */
type JournalLine = { readonly target: string; readonly seed: number } & (
  | { readonly kept: string }
  | { readonly failure: string; readonly detail: string; readonly input: string }
  | {
      readonly piece: number;
      readonly inputs: number;
      readonly outcomes: Readonly<Record<string, number>>;
      readonly seenBytes: number;
      readonly most: Cost;
    }
);

/** Reads inputs until there are so many, or as many as there is time for. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { target, seed, inputs, untilMs, tell } = options;
  const state = createState(options, await readCorpus(target));
  let { piece } = state;
  let reader: ReaderProcess | undefined;
  try {
    for (; state.result().inputs < inputs && performance.now() < untilMs; piece++) {
      const count = Math.min(PIECE_INPUTS, inputs - state.result().inputs);
      let from = 0;
      while (from < count) {
        reader ??= await startReader({ target, corpus: state.result().corpus, isGuided: true });
        const { next, isOver } = await runPiece(reader, { seed, piece, from, to: count }, state, target);
        from = next;
        if (!isOver) continue;
        reader.end();
        reader = undefined;
      }
      const { failures, corpus, seenBytes } = state.result();
      tell(
        `${target}: ${state.result().inputs} inputs, ${corpus.length} kept, ${seenBytes} bytes of code, ${failures.length} failures`,
      );
    }
  } finally {
    reader?.end();
  }
  return state.result();
}

interface Piece {
  readonly seed: number;
  readonly piece: number;
  readonly from: number;
  readonly to: number;
}

/** Reads a piece, to its end or to an input that the process does not survive well. */
async function runPiece(
  reader: ReaderProcess,
  { seed, piece, from, to }: Piece,
  state: State,
  target: string,
): Promise<{ readonly next: number; readonly isOver: boolean }> {
  let [next, isOver] = [to, false];
  let suspect: { readonly what: string; readonly input: Uint8Array } | undefined;
  const found: Failure[] = [];
  try {
    await reader.ask({ kind: 'run', seed, piece, from, to }, (reply) => {
      if (reply.kind === 'kept') state.keep(reply.input);
      if (reply.kind === 'failure') found.push(reply.failure);
      if (reply.kind === 'suspect') {
        ({ next } = reply);
        isOver = true;
        suspect = { what: reply.cost.cpuMs > MOST.cpuMs ? 'slow' : 'memory', input: reply.input };
        state.add({ piece, inputs: next - from, outcomes: reply.outcomes, seenBytes: 0, most: NOTHING });
        return true;
      }
      if (reply.kind !== 'ran') return false;
      const { outcomes, seenBytes, most } = reply;
      state.add({ piece, inputs: to - from, outcomes, seenBytes, most });
      return true;
    });
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error;
    suspect = { what: error.what, input: error.input };
    [next, isOver] = [Math.max(from, error.index) + 1, true];
    state.add({ piece, inputs: next - from, outcomes: {}, seenBytes: 0, most: NOTHING });
  }
  for (const failure of found) state.fail({ ...failure, input: await reduced(target, failure.input) });
  if (suspect !== undefined) {
    const failure = await tryAlone(target, suspect.input);
    if (failure === undefined)
      state.add({ piece, inputs: 0, outcomes: { alone: 1 }, seenBytes: 0, most: NOTHING });
    else state.fail(failure);
  }
  return { next, isOver };
}

/** Reads an input in a process of its own: what is wrong with it, without what others left there. */
export async function tryAlone(target: string, input: Uint8Array): Promise<Failure | undefined> {
  let reader: ReaderProcess | undefined;
  let failure: Failure | undefined;
  try {
    reader = await startReader({ target, corpus: [], isGuided: false });
    await reader.ask({ kind: 'try', input }, (reply) => {
      if (reply.kind !== 'tried') return false;
      const { cost, failure: detail } = reply;
      if (detail !== undefined) failure = { what: reply.outcome, input, detail };
      else if (cost.cpuMs > MOST.cpuMs)
        failure = { what: 'slow', input, detail: `took ${Math.round(cost.cpuMs)} ms` };
      else if (cost.addedBytes > MOST.addedBytes)
        failure = { what: 'memory', input, detail: `took ${Math.round(cost.addedBytes / 2 ** 20)} MiB more` };
      return true;
    });
    return failure;
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error;
    const [what = ''] = error.what.split('\n');
    return { what, input, detail: error.what };
  } finally {
    reader?.end();
  }
}

/** The input without what its failure does not need; as it is where that cannot be told. */
async function reduced(target: string, input: Uint8Array): Promise<Uint8Array> {
  const reader = await startReader({ target, corpus: [], isGuided: false });
  try {
    let least = input;
    await reader.ask({ kind: 'reduce', input }, (reply) => {
      if (reply.kind === 'reduced') least = reply.input;
      return reply.kind === 'reduced';
    });
    return least;
  } catch (error) {
    if (error instanceof ReaderGone) return input;
    throw error;
  } finally {
    reader.end();
  }
}

/** The fewest and shortest inputs that run what all of these run. */
export async function minimised(
  target: string,
  corpus: readonly Uint8Array[],
  mostBytes: number,
): Promise<readonly Uint8Array[]> {
  const reader = await startReader({ target, corpus, isGuided: true });
  try {
    let inputs: readonly Uint8Array[] = [];
    await reader.ask({ kind: 'minimise', mostBytes }, (reply) => {
      if (reply.kind === 'minimised') ({ inputs } = reply);
      return reply.kind === 'minimised';
    });
    return inputs;
  } finally {
    reader.end();
  }
}

interface State {
  /** The next piece. */
  readonly piece: number;
  keep(input: Uint8Array): void;
  fail(failure: Failure): void;
  add(piece: Omit<Extract<JournalLine, { piece: number }>, 'target' | 'seed'>): void;
  result(): CampaignResult;
}

/** What is known of a campaign: its journal read, and written on. */
function createState({ target, seed, journal, tell }: CampaignOptions, kept: readonly Uint8Array[]): State {
  const corpus = new Map(kept.map((input) => [nameOf(input), input]));
  const failures = new Map<string, Failure>();
  const outcomes: Record<string, number> = {};
  let [piece, inputs, seenBytes] = [0, 0, 0];
  let most = NOTHING;
  const take = (line: JournalLine): void => {
    if (line.target !== target) return;
    if ('kept' in line) {
      const input = Buffer.from(line.kept, 'base64');
      corpus.set(nameOf(input), input);
    } else if ('failure' in line) {
      const { failure: what, detail } = line;
      failures.set(what, { what, detail, input: Buffer.from(line.input, 'base64') });
    } else {
      if (line.seed === seed) piece = Math.max(piece, line.piece + 1);
      inputs += line.inputs;
      seenBytes = Math.max(seenBytes, line.seenBytes);
      for (const [kind, count] of Object.entries(line.outcomes))
        outcomes[kind] = (outcomes[kind] ?? 0) + count;
      most = {
        cpuMs: Math.max(most.cpuMs, line.most.cpuMs),
        addedBytes: Math.max(most.addedBytes, line.most.addedBytes),
      };
    }
  };
  if (journal !== undefined && existsSync(journal)) {
    for (const line of readFileSync(journal, 'utf8').split('\n')) {
      // A last line may be cut off.
      if (line.endsWith('}')) take(JSON.parse(line) as JournalLine);
    }
  }
  const write = (line: JournalLine): void => {
    take(line);
    if (journal !== undefined) appendFileSync(journal, `${JSON.stringify(line)}\n`);
  };
  const first = piece;
  return {
    piece: first,
    keep: (input) => write({ target, seed, kept: Buffer.from(input).toString('base64') }),
    fail({ what, detail, input }) {
      if (failures.has(what)) return;
      tell(`${target}: FAILED: ${what}\n${detail}`);
      write({ target, seed, failure: what, detail, input: Buffer.from(input).toString('base64') });
    },
    add: (line) => write({ target, seed, ...line }),
    result: () => ({
      ...{ target, inputs, outcomes, seenBytes, most },
      failures: [...failures.values()],
      corpus: [...corpus.values()],
    }),
  };
}
