/** Serves the finished model: starts the server, says where the page is, and stays until the user stops it. */
import { createServer } from 'node:net';
import { InterruptedError } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import { type RunSettings, settingArguments } from '../lib/settings/table.js';
import type { StageContext } from './rounds/target.js';
import { runStage } from './stage-process.js';

/** What to serve, and where. */
interface RunServerOptions {
  readonly model: string;
  readonly host: string;
  readonly port: number;
  /** A port that the user chose is not replaced by another one. */
  readonly portIsExplicit: boolean;
  readonly engine: RunSettings['engine'];
}

/** How the server says, on stdout, that it answers. */
const LISTENING = /^Listening on (\S+)$/;

/**
 * Runs the server until `signal`; `onReady` is told the page's address once it answers.
 *
 * @throws {StageError} when the server ends by itself: with exit code 2 where the chosen port is taken
 */
export async function startServer(
  { model, host, port, portIsExplicit, engine }: RunServerOptions,
  context: StageContext & { readonly onReady: (address: string) => void },
): Promise<void> {
  const { reporter, signal, onReady } = context;
  let chosen = port;
  if (!portIsExplicit && (await isTaken(host, port))) {
    reporter.warn(`port ${port} is taken by another program: the page gets a free one.`);
    chosen = 0;
  }
  const onOutput = (line: string) => {
    const [, address] = LISTENING.exec(line) ?? [];
    if (address !== undefined) onReady(address);
  };
  try {
    await runStage(
      {
        stage: 'serve',
        program: 'server/cli.js',
        arguments: [
          '--model',
          model,
          '--host',
          host,
          '--port',
          `${chosen}`,
          ...settingArguments('serve', { engine }),
        ],
      },
      { reporter, signal, onOutput },
    );
  } catch (error) {
    // Stopping the server is how a good run with --serve ends.
    if (!(error instanceof InterruptedError)) throw error;
  }
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    // Any other fault is the server's to explain.
    probe.once('error', (error) => resolve(errorCode(error) === 'EADDRINUSE'));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(false)));
  });
}
