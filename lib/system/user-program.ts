/** What programs of the user's own are given and how they are stopped: an environment without what is ours, a process group. */

/** What programs of ours are told by their environment, and a program that calls one must not be. */
const OURS = [
  ...['FEDBATCH_RESULT_FILE', 'FEDBATCH_CLIENTS', 'FEDBATCH_LOG_FORMAT', 'JOB_COMPLETION_INDEX'],
  ...['FEDBATCH_METRICS_PORT', 'FEDBATCH_METRICS_HOST', 'FEDBATCH_PUSHGATEWAY'],
];

/** The environment of this process without what is ours, and `more`. */
export function environmentOfUsers(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !OURS.includes(name));
  return { ...Object.fromEntries(inherited), ...more };
}

/** Signals all processes of a group that are left. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // None is left.
  }
}
