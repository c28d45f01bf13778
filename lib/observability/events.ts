/** What a running stage tells: progress events and messages, the same for people, log collectors and the pipeline. */

/** How far one stage of one client is. Counts are whole numbers from the start of the stage. */
export interface ProgressEvent {
  readonly stage:
    | 'split'
    | 'train'
    | 'aggregate'
    | 'evaluate'
    | 'each'
    | 'download'
    | 'generate'
    | 'read'
    | 'deal';
  /** The client that is trained; absent where a stage has none. */
  readonly client?: number;
  /** The trial of a sweep whose round it is. */
  readonly trial?: number;
  /** The round that this is a part of, and how many rounds there are at most. */
  readonly round?: number;
  readonly rounds?: number;
  readonly done: number;
  readonly total: number;
  /** What `done` and `total` count. */
  readonly unit: 'examples' | 'bytes' | 'models' | 'groups' | 'shards' | 'clients';
  /** The running epoch, from 1, while training. */
  readonly epoch?: number;
  readonly epochs?: number;
  /** Mean training loss of the epoch so far; null where it has overflowed and came through JSON, which has no NaN. */
  readonly loss?: number | null;
  /** Training accuracy of the epoch so far, 0 to 1. */
  readonly accuracy?: number | undefined;
  /** Training speed in examples per second. */
  readonly examplesPerSecond?: number;
  /** Units per second since the start of the stage. */
  readonly perSecond?: number;
  /** Seconds until the end at this speed. */
  readonly secondsLeft?: number;
  /** Of an aggregation: updates that count so far, and their bytes. */
  readonly merged?: number;
  readonly mergedBytes?: number;
  /** Of an aggregation: files that do not count. */
  readonly rejected?: number;
}

/** How far the training of a client is, `seconds` after its first step began; the figures are of the running epoch. */
export function trainingProgress(
  client: number,
  {
    examplesDone,
    examplesTotal,
    ...figures
  }: Pick<ProgressEvent, 'epoch' | 'epochs' | 'loss' | 'accuracy'> & {
    readonly examplesDone: number;
    readonly examplesTotal: number;
  },
  seconds: number,
): ProgressEvent {
  return {
    ...{ stage: 'train', client, done: examplesDone, total: examplesTotal, unit: 'examples' },
    ...figures,
    examplesPerSecond: examplesDone / seconds,
  };
}

/** What a finished round came to. */
export interface RoundEvent {
  readonly round: number;
  /** Rounds of the run at most. */
  readonly rounds: number;
  /** Share of right answers, where one can be right. */
  readonly accuracy?: number;
  /** The metric that leads the task, and its value: of classification the accuracy. */
  readonly metric: string;
  readonly value: number;
  /** What it gained since the round before; absent in the first. */
  readonly change?: number;
  /** The best value so far, and its round. */
  readonly best: { readonly round: number; readonly value: number };
  /** Not finite when training diverged. */
  readonly loss: number;
  /** How many clients were selected, and what became of them; an update that was rejected had been reported. */
  readonly participation: Readonly<Record<'selected' | 'reported' | 'rejected' | 'missing', number>>;
  readonly seconds: number;
  /** Until the last round is done, at the speed of the rounds so far; absent where nothing is left or known. */
  readonly secondsLeft?: number;
  /** An earlier attempt had done the round. */
  readonly isSkipped: boolean;
  /** Its record alone says so: told for whoever follows the figures; people read one line for all of these rounds. */
  readonly isSettled?: true;
}

/** Whose progress it is: of a stage, of one client of it, of one trial; without a client, that of all. */
export type ProgressSource = { readonly stage: string; readonly client?: number; readonly trial?: number };

/** Whether an event is of a source, as far as that is said. */
export const isOf = (event: ProgressSource, source: Partial<ProgressSource>): boolean =>
  (['stage', 'client', 'trial'] as const).every(
    (part) => source[part] === undefined || source[part] === event[part],
  );

/** One text for each source. */
export const sourceKey = ({ stage, client, trial }: ProgressSource): string =>
  `${stage}/${client ?? ''}/${trial ?? ''}`;

/** Facts that go with a message, for machines; people read the message alone. */
export type Fields = Readonly<Record<string, unknown>>;

/** Goes with what was found out about the data: the pipeline passes such messages on. */
export const DATA_NOTE: Fields = { event: 'data' };

/** Goes with what a model is trained or tested for: in a run, the initial model's program has told it for all stages. */
export const TASK_NOTE: Fields = { event: 'task' };

/** Takes what a stage has to say. Everything goes to stderr; stdout is for results. */
export interface Reporter {
  /** Tells what a person may want to know. */
  info(message: string, fields?: Fields): void;
  /** Tells what a person should look at; the work goes on. */
  warn(message: string, fields?: Fields): void;
  /** Tells what went wrong. */
  error(message: string, fields?: Fields): void;
  /** Tells how far a stage is, up to ten times a second. */
  progress(event: ProgressEvent): void;
  /** Tells a step of a round: the line of the whole round follows, and takes its place on a terminal. */
  step(message: string, fields?: Fields): void;
  /** Tells what a round came to. */
  round(event: RoundEvent): void;
  /** Ends the progress display of one source, or of all; call the latter before anything else writes to the terminal. */
  close(source?: ProgressSource): void;
}

/** A reporter that says nothing, for library use and tests. */
export const silentReporter: Reporter = {
  info() {},
  warn() {},
  error() {},
  progress() {},
  step() {},
  round() {},
  close() {},
};

/** The same, for those who want warnings and errors alone. */
export const quietReporter = ({ warn, error, close }: Reporter): Reporter => ({
  ...silentReporter,
  ...{ warn, error, close },
});

/** Lets `observe` watch without a say in what it watches: what it throws is reported and goes no further. */
export function harmless<Seen extends readonly unknown[]>(
  reporter: Reporter,
  observe: (...seen: Seen) => void,
): (...seen: Seen) => void {
  return (...seen) => {
    try {
      observe(...seen);
    } catch (error) {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      reporter.error(`What was answered could not be counted or reported: ${message}`, { stack });
    }
  };
}
