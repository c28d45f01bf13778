/** The options of every program that trains: the model, and what a client does with it. */
import { Option } from 'commander';
import { MODEL_NAMES } from '../federation/model-names.js';

/** `--model`. */
export function modelOption(description = 'the model'): Option {
  return new Option('--model <name>', description).choices(MODEL_NAMES).default('cnn');
}
