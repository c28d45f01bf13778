/** How a session of a run failed, as `metrics.jsonl` holds it: where, why, and what to do. */
import { z } from 'zod';
import { ExitCode } from '../core/errors.js';
import { countField as count } from './fields.js';

/** The facts of a failure. */
export const runFailureSchema = z.object({
  stage: z.string().describe('E.g. `split`, `train`; `run` between two stages.'),
  round: count.optional(),
  client: count.optional(),
  exitCode: z.int().describe('Exit code of the program.'),
  reason: z.string().describe('The sentence that the user saw.'),
  next: z.string().describe('What to do, in one sentence.'),
});

/** How a session of a run failed: where, why, and what to do. */
export type RunFailure = z.infer<typeof runFailureSchema>;

const GOES_ON = 'the same command resumes from here';

const NEXT: Readonly<Record<number, string>> = {
  [ExitCode.usage]: 'Change the command as the reason says, and run it again.',
  [ExitCode.data]: `Mend the file, or the disk, that the reason names; ${GOES_ON}.`,
  [ExitCode.threshold]: `See who is missing or rejected, and why, in rounds/*/round.json; ${GOES_ON}, and --quorum or --retries let it do with less. Updates that hold NaN or Infinity ask for a smaller --learning-rate, which is another run.`,
  [ExitCode.stage]: `See to the reason; ${GOES_ON}, and what is finished is not done again.`,
  [ExitCode.interrupted]: `Nothing is lost: ${GOES_ON}.`,
};

/** What to do about a run that ended with this exit code. */
export function nextStep(exitCode: number): string {
  return (
    NEXT[exitCode] ??
    `This is a bug in fedbatch: run the same command again with --debug for the stack trace; it resumes from here.`
  );
}

/** Where it failed, e.g. `train of client 2 in round 3`. */
export function placeOfFailure({ stage, round, client }: RunFailure): string {
  const who = client === undefined ? '' : ` of client ${client}`;
  return `${stage}${who}${round === undefined ? '' : ` in round ${round}`}`;
}
