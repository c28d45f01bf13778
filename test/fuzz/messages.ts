/** What a campaign and the process that reads its inputs say to each other. */

/** How the process is started. */
export interface WorkerStart {
  readonly target: string;
  /** A folder of its own. */
  readonly directory: string;
  /** Holds how many inputs were read, and the one that is being read: what is left of it when the process is not. */
  readonly currentFile: string;
  /** Inputs to begin with, beside those of the target. */
  readonly corpus: readonly Uint8Array[];
  /** Whether code is watched: not where single inputs are tried. */
  readonly isGuided: boolean;
}

/** Asks the process. */
export type WorkerRequest =
  | { readonly kind: 'start'; readonly start: WorkerStart }
  /** Makes inputs `from` … `to - 1` of a piece and reads them. */
  | {
      readonly kind: 'run';
      readonly seed: number;
      readonly piece: number;
      readonly from: number;
      readonly to: number;
    }
  /** Reads one input; the answer is `tried`. */
  | { readonly kind: 'try'; readonly input: Uint8Array }
  /** Leaves out what others reach too; the answer is `minimised`. */
  | { readonly kind: 'minimise'; readonly mostBytes: number }
  /** Makes an input that fails smaller while it fails in the same way; the answer is `reduced`. */
  | { readonly kind: 'reduce'; readonly input: Uint8Array };

/** What one input cost. */
export interface Cost {
  readonly cpuMs: number;
  /** Above what the process took before. */
  readonly addedBytes: number;
}

/** An input that ended as none may. */
export interface Failure {
  /** What went wrong, the same for inputs that found the same. */
  readonly what: string;
  readonly input: Uint8Array;
  readonly detail: string;
}

/** What the process answers. */
export type WorkerReply =
  | {
      readonly kind: 'ready';
      readonly baselineBytes: number;
      readonly seenBytes: number;
      readonly inputs: number;
    }
  | { readonly kind: 'failure'; readonly failure: Failure }
  /** The process has grown, or an input took long: whoever asks tries it alone. */
  | {
      readonly kind: 'suspect';
      readonly input: Uint8Array;
      readonly cost: Cost;
      readonly next: number;
      readonly outcomes: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'kept'; readonly input: Uint8Array }
  | {
      readonly kind: 'ran';
      readonly outcomes: Readonly<Record<string, number>>;
      readonly seenBytes: number;
      readonly most: Cost;
    }
  | { readonly kind: 'tried'; readonly outcome: string; readonly failure?: string; readonly cost: Cost }
  | { readonly kind: 'minimised'; readonly inputs: readonly Uint8Array[] }
  | { readonly kind: 'reduced'; readonly input: Uint8Array };
