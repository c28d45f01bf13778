/** What a format is to the exporter: what it is called, and how a model is written in it. */
import { UsageError } from '../lib/core/errors.js';
import type { ExportedFacts } from '../lib/formats/export-result.js';
import type { Reporter } from '../lib/observability/events.js';
import type { ExportedModel } from './exported-model.js';

/** Each with what it is, in the order in which help shows them. */
export const FORMAT_HELP = {
  onnx: 'ONNX, opset 20, for onnxruntime in any language',
  savedmodel: 'SavedModel for TensorFlow and TensorFlow Serving, written by Python with TensorFlow',
  tfjs: 'layers model for TensorFlow.js in a page or in Node',
  safetensors: 'the weights as plain arrays',
  keras: '.keras archive for Keras 3',
} as const;

/** The name of a format. */
export type FormatName = keyof typeof FORMAT_HELP;

/** All of them. */
export const FORMAT_NAMES = Object.keys(FORMAT_HELP) as readonly FormatName[];

/** Writes what was prepared: a file or folder at `path` that appears whole, or not at all. */
export type Write = (path: string) => Promise<void>;

/** What an export is given beside its model. */
export interface ExportContext {
  readonly facts: ExportedFacts;
  /** The program of Python, for formats that need one. */
  readonly python: string;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** One format. */
export interface ExportFormat {
  /** In sentences, e.g. `an ONNX file`. */
  readonly title: string;
  /** How the name of its file ends; of a folder, what stands behind the model's name where no other one is asked for. */
  readonly ending: string;
  readonly isFolder?: true;
  /** Of a folder: the file that holds the facts, which tells that an export has made it. */
  readonly marker?: string;
  /** @throws {UsageError} naming what the format cannot express, before anything is written */
  prepare(exported: ExportedModel, context: ExportContext): Promise<Write>;
}

/** What is said of a model that a format cannot hold. */
export const cannotHold = (
  { path }: Pick<ExportedModel, 'path'>,
  {
    title,
    reason,
    advice,
    cause,
  }: {
    readonly title: string;
    readonly reason: string;
    readonly advice: string;
    readonly cause?: unknown;
  },
): UsageError => new UsageError(`${path} cannot be written as ${title}: ${reason}. ${advice}`, { cause });
