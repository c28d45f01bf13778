/** docs/schemas: the records on a volume and the results of programs, as JSON Schemas. */
import { z } from 'zod';
import { accuracyFileSchema } from '../lib/formats/accuracy-record.js';
import { exportResultSchema } from '../lib/formats/export-result.js';
import { findingsSchema } from '../lib/formats/findings.js';
import { manifestSchema } from '../lib/formats/manifest.js';
import { metricsEventSchema } from '../lib/formats/metrics-event.js';
import { noiseRecordSchema } from '../lib/formats/noise-file.js';
import { repeatedRunSchema } from '../lib/formats/repeated-run.js';
import { roundRecordSchema, runRecordSchema } from '../lib/formats/run-record.js';
import * as runs from '../lib/formats/run-results.js';
import { runComparisonSchema, runRowsSchema } from '../lib/formats/runs/run-rows.js';
import { runStatusSchema } from '../lib/formats/runs/run-status.js';
import {
  evaluateReplySchema,
  saveReplySchema,
  simulatorRequestSchema,
  trainReplySchema,
} from '../lib/formats/simulation-messages.js';
import { descriptionSchema } from '../lib/formats/sources/description.js';
import { importResultSchema } from '../lib/formats/sources/understanding.js';
import * as stages from '../lib/formats/stage-results.js';
import { statisticsResultSchema } from '../lib/formats/statistics-result.js';
import { trainingEndingSchema, trainingTasksSchema } from '../pipeline/piped/training-pipe.js';
import { modelAnswerSchema } from '../server/models/model-card.js';
import { sweepFileSchema } from '../sweep/sweep-file.js';
import { sweepRecordSchema, sweepResultSchema } from '../sweep/sweep-record.js';

const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  run: runRecordSchema,
  manifest: manifestSchema,
  round: roundRecordSchema,
  accuracy: accuracyFileSchema,
  'metrics-event': metricsEventSchema,
  'noise-key': noiseRecordSchema,
  'run-result': runs.runResultSchema,
  'repeated-run': repeatedRunSchema,
  'split-result': stages.splitResultSchema,
  'split-check': stages.splitCheckSchema,
  'init-result': stages.initResultSchema,
  'init-task-result': stages.initTaskResultSchema,
  'train-result': stages.trainResultSchema,
  'aggregate-result': stages.aggregateResultSchema,
  'evaluate-result': stages.evaluateResultSchema,
  'as-client-result': stages.asClientResultSchema,
  'each-result': stages.eachResultSchema,
  'evaluate-results': stages.evaluateResultsSchema,
  prediction: stages.predictionSchema,
  model: modelAnswerSchema,
  'report-result': runs.reportResultSchema,
  'run-status': runStatusSchema,
  'runs-result': runRowsSchema,
  'runs-comparison': runComparisonSchema,
  sweep: sweepRecordSchema,
  'sweep-result': sweepResultSchema,
  'sweep-file': sweepFileSchema,
  'dataset-result': stages.datasetResultSchema,
  'import-result': importResultSchema,
  'export-result': exportResultSchema,
  'data-description': descriptionSchema,
  'statistics-result': statisticsResultSchema,
  findings: findingsSchema,
  'k8s-status': runs.jobRowsSchema,
  'k8s-deleted': runs.deletedRunSchema,
  'training-tasks': trainingTasksSchema,
  'training-ending': trainingEndingSchema,
  'simulator-request': simulatorRequestSchema,
  'simulator-train-reply': trainReplySchema,
  'simulator-save-reply': saveReplySchema,
  'simulator-evaluate-reply': evaluateReplySchema,
  'record-open': runs.openedSchema,
  'record-round': runs.recordedRoundSchema,
  'record-end': runs.recordedEndSchema,
  'record-failed': runs.recordedFailureSchema,
};

/** A JSON Schema, and what it is about. */
export interface NamedSchema {
  /** Its file is `docs/schemas/<name>.schema.json`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly schema: object;
}

/** All schemas: of what a file or line may hold. Fields that a later version adds do not break them. */
export function jsonSchemas(): readonly NamedSchema[] {
  return Object.entries(SCHEMAS).map(([name, schema]) => {
    const { title, description } = schema.meta() ?? {};
    if (title === undefined || description === undefined)
      throw new Error(`${name} has no title or description`);
    const {
      $schema,
      title: _title,
      description: _description,
      ...rest
    } = z.toJSONSchema(schema, {
      target: 'draft-2020-12',
      io: 'input',
      unrepresentable: 'any',
      override: ({ jsonSchema }) => {
        // Every whole number is within these bounds, and nothing here can be written to.
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
        delete jsonSchema.readOnly;
      },
    });
    return {
      name,
      title,
      description,
      schema: { $schema, $id: `urn:fedbatch:schema:${name}`, title, description, ...rest },
    };
  });
}
