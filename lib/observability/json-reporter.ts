/** The reporter for machines: one JSON object per line on stderr, by pino. */
import { pino } from 'pino';
import type { Reporter } from './events.js';

/** A reporter that writes pino lines to stderr; progress events carry `"event":"progress"`. */
export function createJsonReporter(): Reporter {
  const logger = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    progress: (event) => logger.info({ event: 'progress', ...event }),
    step: (message, fields = {}) => logger.info(fields, message),
    round: (event) => logger.info({ event: 'round', ...event }),
    close() {},
  };
}
