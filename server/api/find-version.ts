/** Finds the version of the model that a request names: by number, by label, or the one that answers. */

import { HttpProblem } from '../../lib/http/problems.js';
import type { ModelCard } from '../models/model-card.js';
import type { ModelVersion, ServedModels } from '../models/served-models.js';

/** What a request says about the model that it wants. */
interface WantedModel {
  readonly name: string;
  readonly version?: string | undefined;
  /** `stable` is the version that answers, `previous` the one before it. */
  readonly label?: string | undefined;
}

/** A version that can answer, and its facts. */
export interface FoundModel extends ModelVersion {
  readonly card: ModelCard;
}

/** The version. @throws {HttpProblem} 404 for a model, version or label that is not there, 503 while none can answer */
export function findVersion(models: ServedModels, { name, version, label }: WantedModel): FoundModel {
  requireModel(models, name);
  const found = select(models, version, label);
  if (found === undefined && (version !== undefined || (label !== undefined && label !== 'stable'))) {
    const wanted = version === undefined ? `the label ${label}` : `version ${version}`;
    throw new HttpProblem(404, `Servable not found for request: ${name} has nothing under ${wanted}.`);
  }
  const card = found?.predictor.card();
  if (found === undefined || card === undefined)
    throw new HttpProblem(503, 'The model is not loaded yet.', { headers: { 'Retry-After': '1' } });
  return { version: found.version, loadedAt: found.loadedAt, predictor: found.predictor, card };
}

/** @throws {HttpProblem} 404 where the server has no model of this name */
export function requireModel(models: ServedModels, name: string): void {
  if (name === models.name) return;
  throw new HttpProblem(404, `Could not find any versions of model ${name}; this server has ${models.name}.`);
}

function select(models: ServedModels, version: string | undefined, label: string | undefined) {
  const answering = models.current();
  if (version !== undefined) return models.versions().find((each) => String(each.version) === version);
  if (label === undefined || label === 'stable') return answering;
  if (label !== 'previous') return undefined;
  return models
    .versions()
    .filter((each) => each.version < (answering?.version ?? 0))
    .at(-1);
}
