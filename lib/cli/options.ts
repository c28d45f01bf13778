/** Options, and parsers of option values, that several commands share; what is wrong is told with the flag. */
import { InvalidArgumentError, Option } from 'commander';
import { readClientList } from '../federation/client-list.js';
import { parseThreshold } from '../federation/metrics.js';
import { parseOption } from '../settings/options.js';
import { SCALE_TYPE } from '../settings/parts/data.js';
import { METRIC_TYPE } from '../settings/parts/federation.js';
import { type NumberRange, number, RUN_NAME_TYPE, RUN_TAG_TYPE, whole } from '../settings/value-type.js';
import { availableCores } from '../system/hardware.js';

/** More threads than any machine has cores: a slip of the finger must not take the machine down. */
export const MAX_THREADS = 1024;

/** A parser of whole numbers within bounds. */
export function integerOption(bounds: NumberRange = {}): (text: string) => number {
  return (text) => parseOption(whole(bounds), text) as number;
}

/** A parser of finite numbers within bounds. */
export function numberOption(bounds: NumberRange = {}): (text: string) => number {
  return (text) => parseOption(number(bounds), text) as number;
}

/** `--threads`, by default one for each core of this machine or container. */
export function threadsOption(description = 'processor threads to use'): Option {
  return new Option('--threads <n>', description)
    .argParser(integerOption({ min: 1, max: MAX_THREADS }))
    .default(availableCores(), 'the cores of this machine or container');
}

/** `--scale` of programs that ask for that of a model. */
export function scaleOption(help: string): Option {
  return new Option('--scale <black..white>', help).argParser((text) => parseOption(SCALE_TYPE, text));
}

/** `--json` of a command that works for long. */
export function jsonOption(): Option {
  return new Option('--json', 'print one JSON line on stdout at the end, everything else on stderr');
}

/** `--min-accuracy`: a share. */
export function minAccuracyOption(): Option {
  return new Option('--min-accuracy <share>', 'end with exit code 4 below this accuracy').argParser(
    numberOption({ min: 0, max: 1 }),
  );
}

/** `--min-metric`: what a model has to reach. */
export function minMetricOption(): Option {
  return new Option(
    '--min-metric <metric=value>',
    'end with exit code 4 where a metric misses this value, e.g. auc=0.9 at least or rmse=3.2 at most',
  ).argParser((text) => parseThreshold(parseOption(METRIC_TYPE, text) as string));
}

/** An option that tells the sha256 of a file. */
export function hashOption(flags: string, help: string): Option {
  return new Option(flags, help).argParser((text) => {
    if (/^[0-9a-f]{64}$/.test(text)) return text;
    throw new InvalidArgumentError(`Expected a sha256, 64 lower-case hexadecimal digits, found "${text}".`);
  });
}

/** `--name`: what people call a run. */
export function nameOption(): Option {
  return new Option('--name <text>', 'what lists of runs call it; nothing depends on it').argParser(
    (text) => parseOption(RUN_NAME_TYPE, text) as string,
  );
}

/** `--tag`, as often as wanted; `help` says of what. */
export function tagOption(help: string): Option {
  return new Option('--tag <word>', help).argParser((text, before: readonly string[] = []) => [
    ...before,
    parseOption(RUN_TAG_TYPE, text) as string,
  ]);
}

/** Numbers and ranges of clients; none for an empty list. */
export function clientList(text: string): readonly number[] {
  const clients = readClientList(text.trim());
  if (clients !== undefined) return clients;
  throw new InvalidArgumentError(`Expected numbers of clients such as 3,7,12 or 0-99, found "${text}".`);
}
