/** Training by somebody else: tasks go out as JSON lines, how they ended comes back as JSON lines (docs/TARGETS.md). */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { InterruptedError, StageError } from '../../lib/core/errors.js';
import type { StageEnding } from '../stage-process.js';

/** One client's training, or a command of the user's own as one client, that is given away. */
export interface GivenTask {
  readonly event: 'train' | 'each';
  /** Of a training. */
  readonly round?: number | undefined;
  readonly client: number;
  /** What to run: `fedbatch` with these arguments. */
  readonly command: readonly string[];
}

/** Channel to an external trainer. */
export interface TrainingPipe {
  /**
   * Has a task done, and waits for how that ended.
   *
   * @throws {StageError} when the external trainer has gone, or answers with something else
   * @throws {InterruptedError} when `signal` aborts
   */
  give(task: GivenTask, signal: AbortSignal): Promise<StageEnding>;
  /** Stops listening. */
  close(): void;
}

/** A line that goes out. */
export const trainingTasksSchema = z
  .object({
    event: z.enum(['train', 'each']).describe('Of run: clients to train; of each: a command on all clients.'),
    round: z.int().min(1).optional().describe('The round of a training, from 1.'),
    tasks: z
      .array(
        z.object({
          id: z.int().nonnegative().describe('Of this task alone; the answer names it.'),
          client: z.int().nonnegative().describe('Number of the client.'),
          command: z.array(z.string()).describe('What to run: `npx fedbatch` with these arguments.'),
        }),
      )
      .min(1)
      .describe('Commands that may run side by side, wherever the volume is.'),
  })
  .meta({
    title: 'Tasks of an external trainer',
    description: 'A line on stdout of run --trainers pipe or each --runners pipe: what clients are to do.',
  });

/** A line that comes back. */
export const trainingEndingSchema = z
  .object({
    id: z.int().describe('Of the task.'),
    exitCode: z.int().nullish().describe('Of the command; none where a signal ended it.'),
    signal: z.string().nullish().describe('The signal that ended it, e.g. `SIGKILL`.'),
    stdout: z.array(z.string()).describe('Its lines.'),
    stderr: z.array(z.string()).describe('Its lines.'),
  })
  .meta({
    title: 'Answer of an external trainer',
    description: 'A line on stdin of run --trainers pipe or each --runners pipe: how a task ended.',
  });

/** A task that is out. */
interface Waiting {
  readonly resolve: (ending: StageEnding) => void;
  readonly reject: (error: Error) => void;
}

/** So much of a line that was not understood is shown. */
const SHOWN_CHARACTERS = 200;

/** Opens the pipe; tasks that are given away in the same moment go out in one line, so that they are dealt at once. */
export function openTrainingPipe({
  stdin,
  stdout,
}: {
  readonly stdin: Readable;
  readonly stdout: Writable;
}): TrainingPipe {
  const waiting = new Map<number, Waiting>();
  let gathered: (GivenTask & { readonly id: number })[] = [];
  let nextId = 0;
  let gone: StageError | undefined;
  const lose = (why: string) => {
    gone ??= new StageError('train', why);
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  const lines = createInterface({ input: stdin });
  lines.on('line', (line) => {
    const ending = parseEnding(line);
    const task = ending && waiting.get(ending.id);
    if (ending === undefined || task === undefined) {
      lose(`the answer of the external trainer was not understood: "${line.slice(0, SHOWN_CHARACTERS)}".`);
      return;
    }
    waiting.delete(ending.id);
    task.resolve({ ...ending, exitCode: ending.exitCode ?? undefined, signal: ending.signal ?? undefined });
  });
  lines.on('close', () => lose('the external trainer has closed stdin, and tasks are not done.'));
  const send = () => {
    const [first] = gathered;
    if (first === undefined) return;
    const tasks = gathered.map(({ id, client, command }) => ({ id, client, command: [...command] }));
    gathered = [];
    const line: z.infer<typeof trainingTasksSchema> = { event: first.event, round: first.round, tasks };
    stdout.write(`${JSON.stringify(line)}\n`);
  };
  return {
    async give(task, signal) {
      if (signal.aborted) throw new InterruptedError();
      if (gone !== undefined) throw gone;
      const id = nextId++;
      const ending = new Promise<StageEnding>((resolve, reject) => waiting.set(id, { resolve, reject }));
      const interrupt = () => waiting.get(id)?.reject(new InterruptedError());
      signal.addEventListener('abort', interrupt, { once: true });
      if (gathered.length === 0) setImmediate(send);
      gathered.push({ ...task, id });
      return await ending.finally(() => signal.removeEventListener('abort', interrupt));
    },
    close() {
      lines.close();
      stdin.destroy();
    },
  };
}

function parseEnding(line: string): z.infer<typeof trainingEndingSchema> | undefined {
  try {
    return trainingEndingSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
