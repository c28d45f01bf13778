/** Starts the simulator and speaks with it: requests one after the other, each with its reply. */
import type { z } from 'zod';
import { StageError } from '../../lib/core/errors.js';
import type { SimulatorRequest } from '../../lib/formats/simulation-messages.js';
import type { ServiceStarter, StageContext, StageListeners, StageTask } from '../rounds/target.js';
import { startService } from '../stage-process.js';

const MiB = 2 ** 20;

/** A simulator at work. */
export interface SimulatorProcess {
  /** When it had read its data and its workers were there, on the clock of `performance.now()`; undefined before. */
  readonly readyAt: number | undefined;
  /**
   * Sends a request and waits for its reply.
   *
   * @throws {StageError} when the simulator fails, or ends, or answers with something else
   */
  ask<T>(request: SimulatorRequest, schema: z.ZodType<T>): Promise<T>;
  /** Lets the simulator end, and waits for it. */
  close(): Promise<void>;
}

/**
 * A simulator moves thousands of updates of some 100 kB and more through its memory. Looking for unused objects after
 * every MB of new ones, and old ones from 24 MB on, training on MNIST took some 70 MB less, and smaller code 10 MB less.
 *
 * The weights that ONNX Runtime copies in each step are freed at once (runFor). glibc uses such memory again, where by
 * default it gives blocks of this size back to the system and takes new ones, page by page: 3 % of a training of one
 * step. It alone reads the variables; others pass over them.
 */
const RUNTIME = {
  nodeFlags: ['--max-semi-space-size=1', '--optimize-for-size', '--initial-old-space-size=24'],
  environment: {
    MALLOC_ARENA_MAX: '2',
    MALLOC_MMAP_THRESHOLD_: `${4 * MiB}`,
    MALLOC_TRIM_THRESHOLD_: `${32 * MiB}`,
  },
};

/** Starts the simulator; that it could not start is told by the first request. */
export function startSimulator(
  command: StageTask,
  context: StageContext & Pick<StageListeners, 'onEngine'>,
  start: ServiceStarter = startService,
): SimulatorProcess {
  const task = { ...command, runtime: RUNTIME };
  let answer: (line: string) => void = () => undefined;
  let readyAt: number | undefined;
  const service = start(task, {
    ...context,
    onOutput: (line) => answer(line),
    onEngine(note) {
      readyAt = performance.now();
      context.onEngine?.(note);
    },
  });
  const endedEarly = service.ended.then(() => {
    throw new StageError(task.stage, 'ended before it had answered.');
  });
  endedEarly.catch(() => undefined);
  return {
    get readyAt() {
      return readyAt;
    },
    async ask(request, schema) {
      const reply = new Promise<string>((resolve) => {
        answer = resolve;
      });
      service.write(JSON.stringify(request));
      const line = await Promise.race([reply, endedEarly]);
      const parsed = schema.safeParse(JSON.parse(line));
      if (parsed.success) return parsed.data;
      throw new StageError(task.stage, `its reply was not understood: "${line.slice(0, 200)}".`, {
        cause: parsed.error,
      });
    },
    async close() {
      service.end();
      await service.ended.catch(() => undefined);
    },
  };
}
