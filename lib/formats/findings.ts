/** What `doctor` tells: the machine, and which engines work on it, as a schema and types of it. */
import { z } from 'zod';
import { countField } from './fields.js';

const machineSchema = z.object({
  node: z.string().describe('Version of Node.'),
  platform: z.string().describe('E.g. `linux x64`.'),
  processor: z.string(),
  processors: countField.describe('Logical processors that the system lets this process run on.'),
  cpuLimit: z.number().nullable().describe("The container's cpu limit in cores; null without one."),
  cores: countField.describe('Cores that fedbatch uses: the smaller of the two, whole.'),
  memoryBytes: countField,
  memoryLimitBytes: countField.nullable().describe("The container's memory limit; null without one."),
  gpus: z
    .array(z.string())
    .readonly()
    .describe('NVIDIA GPUs by name; one without a name where a driver is there but does not tell.'),
});

const backendFindingSchema = z.object({
  engine: z.string(),
  backend: z.string(),
  device: z.enum(['cpu', 'gpu']),
  installed: z.boolean(),
  version: z.string().nullable().describe('Of the library under it; null where it is not installed.'),
  works: z.boolean(),
  session: z.string().nullable().describe('What a training session says that it runs on.'),
  threads: countField,
  imagesPerSecond: z.number().nullable().describe('Training speed of the default CNN at batch 100.'),
  batch: countField.nullable().describe('Examples per measured step; 100 where it is fast enough.'),
  reason: z.string().nullable().describe('Why it does not work, or was not measured.'),
  blockedImages: z
    .string()
    .nullable()
    .describe('Whether images are stored in blocks of channels, or why not.'),
  install: z.string().nullable().describe('What to type where it is not installed.'),
});

/** `doctor --json`. */
export const findingsSchema = z
  .object({
    machine: machineSchema,
    backends: z.array(backendFindingSchema).readonly(),
    chosen: z
      .object({
        engine: z.string().nullable().describe('Null where nothing works.'),
        why: z.string(),
      })
      .describe('What `--engine` (`auto` by default) comes to.'),
  })
  .meta({ title: 'Result of doctor', description: 'Which engines work on this machine, and how fast.' });

/** Facts of this machine or container. */
export type Machine = Readonly<z.infer<typeof machineSchema>>;
/** One engine and backend: found, working, how fast. */
export type BackendFinding = Readonly<z.infer<typeof backendFindingSchema>>;
/** What doctor found. */
export type Findings = Readonly<z.infer<typeof findingsSchema>>;
