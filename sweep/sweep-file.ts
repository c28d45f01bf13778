/** A sweep as a file (YAML or JSON): its axes, how they are searched, the settings of all trials. */
import { z } from 'zod';
import { UsageError } from '../lib/core/errors.js';
import type { GivenSettings } from '../lib/settings/complete.js';
import { givenByDocument, readYaml } from '../lib/settings/config-file.js';
import type { Setting } from '../lib/settings/setting.js';
import { type Axis, axisOf } from './axes.js';

const natural = z.int().min(1);

/** What the file holds. */
export const sweepFileSchema = z
  .strictObject({
    grid: z
      .record(
        z.string(),
        z.union([z.string(), z.array(z.union([z.string(), z.number(), z.boolean()])).min(1)]),
      )
      .describe(
        'The axes: settings by flag or place, each with a list of values, or a text as --grid takes it.',
      ),
    random: natural.optional().describe('So many combinations at random.'),
    sobol: natural.optional().describe('So many combinations, spread evenly.'),
    medianRule: natural.optional().describe('Rounds after which hopeless trials are stopped.'),
    parallel: natural.optional().describe('Trials side by side.'),
    settings: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Settings of all trials, as run.json holds them.'),
  })
  .meta({ title: 'Sweep as a file', description: 'sweep.yaml: what `sweep --file` reads.' });

/** What a file asks for. */
export interface SweepFile extends Omit<z.infer<typeof sweepFileSchema>, 'grid' | 'settings'> {
  readonly axes: readonly Axis[];
  readonly given: GivenSettings;
}

/** Reads the file; `known` are the settings that trials have. @throws {UsageError} when it is none, or holds what is no sweep, no setting or no value of one */
export async function readSweepFile(file: string, known: readonly Setting[]): Promise<SweepFile> {
  const parsed = sweepFileSchema.safeParse(await readYaml(file, '--file'));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place =
      issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.map(String).join('.')}`;
    throw new UsageError(
      `${file}: expected a sweep (docs/SWEEPS.md)${place}: ${issue?.message ?? 'another structure'}.`,
    );
  }
  const { grid, settings = {}, ...others } = parsed.data;
  const axes = Object.entries(grid).map(([name, among]) => {
    try {
      return axisOf(name, among);
    } catch (cause) {
      if (cause instanceof UsageError) throw new UsageError(`${file}: grid: ${cause.message}`, { cause });
      throw cause;
    }
  });
  return { ...others, axes, given: givenByDocument(settings, { settings: known, file }) };
}
