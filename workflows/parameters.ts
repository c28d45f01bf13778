/** The commands of all rounds as few templates: what differs from round to round is a parameter of the template. */
import { INDEXED_CLIENT } from '../lib/formats/volume.js';
import { joinedArguments } from '../pipeline/commands/stage-commands.js';
import { type JobRound, ROUND_STAGES, type RoundStage, type WorkflowJob } from './workflow-job.js';

/** The arguments of a stage, of all rounds that have the same flags. */
export interface ArgumentTemplate {
  /** `aggregate`; where flags come later in a run, `aggregate-2`. */
  readonly name: string;
  readonly stage: RoundStage;
  readonly arguments: readonly string[];
  /** Names of the parameters in the arguments. */
  readonly parameters: readonly string[];
}

/** The steps that rounds have in common. */
export interface RoundTemplate {
  readonly name: string;
  readonly stages: Readonly<Record<RoundStage, ArgumentTemplate>>;
  /** Of all its stages. */
  readonly parameters: readonly string[];
}

/** A round as a call of a template. */
export interface RoundCall {
  readonly round: JobRound;
  readonly template: RoundTemplate;
  /** By the names of the parameters. */
  readonly values: Readonly<Record<string, string>>;
}

/** The name of the trainer's own parameter: which client it is. */
export const CLIENT_PARAMETER = 'client';

/**
 * Finds the templates.
 *
 * @param place what a target fills in with the parameter of that name
 */
export function parameterised(
  { rounds }: Pick<WorkflowJob, 'rounds'>,
  place: (parameter: string) => string,
): readonly RoundCall[] {
  const ofStages = ROUND_STAGES.map((stage) => stageCalls(stage, rounds, place));
  const templates = new Map<string, RoundTemplate>();
  return rounds.map((round, at) => {
    const calls = ofStages.map((calls) => calls[at] as StageCall);
    const key = calls.map(({ template }) => template.name).join();
    const template = templates.get(key) ?? {
      name: numbered('round', templates.size),
      stages: Object.fromEntries(
        calls.map((call) => [call.template.stage, call.template]),
      ) as RoundTemplate['stages'],
      parameters: [...new Set(calls.flatMap((call) => call.template.parameters))],
    };
    templates.set(key, template);
    return { round, template, values: Object.assign({}, ...calls.map((call) => call.values)) };
  });
}

/** The templates of calls, each once. */
export function templatesOf(calls: readonly RoundCall[]): {
  readonly rounds: readonly RoundTemplate[];
  readonly stages: readonly ArgumentTemplate[];
} {
  const rounds = [...new Set(calls.map(({ template }) => template))];
  const stages = new Set(ROUND_STAGES.flatMap((stage) => rounds.map((round) => round.stages[stage])));
  return { rounds, stages: [...stages] };
}

interface StageCall {
  readonly template: ArgumentTemplate;
  readonly values: Readonly<Record<string, string>>;
}

/** The calls of one stage, round by round. */
function stageCalls(
  stage: RoundStage,
  rounds: readonly JobRound[],
  place: (parameter: string) => string,
): readonly StageCall[] {
  const words = rounds.map(({ commands }) =>
    stageWords(stage, joinedArguments(commands[stage].arguments), place),
  );
  const shapes = words.map((each) => each.map(flagOf).join(' '));
  const calls = new Map<number, StageCall>();
  [...new Set(shapes)].forEach((shape, index) => {
    const alike = rounds.flatMap((_, at) => (shapes[at] === shape ? [at] : []));
    const parts = (words[alike[0] ?? 0] ?? []).map((_, position) =>
      argumentPart(
        stage,
        alike.map((at) => ({ round: rounds[at] as JobRound, word: words[at]?.[position] ?? '' })),
      ),
    );
    const template = {
      ...{ name: numbered(stage, index), stage },
      arguments: parts.map(
        ({ before, name, after }) => before + (name === undefined ? '' : place(name)) + after,
      ),
      parameters: [...new Set(parts.flatMap(({ name }) => name ?? []))],
    };
    alike.forEach((at, place) => {
      const named = parts.flatMap(({ name, values }) =>
        name === undefined ? [] : [[name, values[place] ?? '']],
      );
      calls.set(at, { template, values: Object.fromEntries(named) as StageCall['values'] });
    });
  });
  return rounds.map((_, at) => calls.get(at) as StageCall);
}

/** A trainer is told its client by name, where the Job's index tells it elsewhere. */
function stageWords(
  stage: RoundStage,
  words: readonly string[],
  place: (parameter: string) => string,
): readonly string[] {
  if (stage !== 'train') return words;
  const client = place(CLIENT_PARAMETER);
  return [...words.map((word) => word.replaceAll(INDEXED_CLIENT, client)), `--client=${client}`];
}

/** An argument: what is the same in all rounds, and the parameter between, where something differs. */
interface ArgumentPart {
  readonly before: string;
  readonly name?: string;
  readonly after: string;
  /** Of the parameter, round by round. */
  readonly values: readonly string[];
}

function argumentPart(
  stage: RoundStage,
  words: readonly { readonly round: JobRound; readonly word: string }[],
): ArgumentPart {
  const [{ word } = { word: '' }] = words;
  if (words.every((each) => each.word === word)) return { before: word, after: '', values: [] };
  // Of paths that differ in one directory, that directory is the parameter: the rest may hold one of its own.
  const split = words.map((each) => each.word.slice(flagOf(word).length + 1).split('/'));
  const [first = []] = split;
  const differing = first.flatMap((part, at) => (split.some((other) => other[at] !== part) ? [at] : []));
  const [at = 0] = differing;
  const isOne = differing.length === 1 && split.every(({ length }) => length === first.length);
  const values = split.map((parts) => (isOne ? (parts[at] ?? '') : parts.join('/')));
  const before = [...first.slice(0, at), ''].join('/');
  const after = ['', ...first.slice(at + 1)].join('/');
  return {
    before: `${flagOf(word)}=${isOne ? before : ''}`,
    name: parameterName(
      `${stage}${flagOf(word).slice(1).replaceAll('-', '_')}`,
      words.map(({ round }, index) => ({ round, value: values[index] ?? '' })),
    ),
    after: isOne ? after : '',
    values,
  };
}

/** `aggregate_min_updates`; what is the number of the round, or its directory, is called so, whichever flag gives it. */
function parameterName(
  flag: string,
  values: readonly { readonly round: JobRound; readonly value: string }[],
): string {
  if (values.every(({ round, value }) => value === round.name)) return 'directory';
  if (values.every(({ round, value }) => value === `${Number(round.name)}`)) return 'round';
  return flag;
}

const flagOf = (word: string): string => /^[^=]*/.exec(word)?.[0] ?? word;

const numbered = (name: string, index: number): string => (index === 0 ? name : `${name}-${index + 1}`);
