/** Which strategies and partition schemes there are, with their parameters: the registries as data. */
import {
  PARTITION_PARAMETERS,
  PARTITION_SCHEMES,
  type PartitionParameter,
  type PartitionSchemeName,
  partitionSchemeNames,
} from '../lib/federation/partition/settings.js';
import { type StrategyName, strategies } from '../lib/federation/strategies/strategy-settings.js';

/** A parameter of a strategy or a partition scheme. */
export interface ParameterFacts {
  /** What it means, in one sentence. */
  readonly help: string;
  /** Where nothing is given; absent where there has to be something, or `help` says what holds. */
  readonly default?: number | string | undefined;
}

/** A strategy, and the parameters that go beside its name in `strategy`. */
export interface StrategyFacts {
  readonly name: StrategyName;
  /** Whether it averages the updates, or compares them with each other. */
  readonly kind: 'averaging' | 'comparing';
  readonly parameters: Readonly<Record<string, ParameterFacts>>;
}

/** A partition scheme, and the parameters that go beside its name in `federation.partition`. */
export interface PartitionFacts {
  readonly scheme: PartitionSchemeName;
  /** How it deals examples. */
  readonly meaning: string;
  readonly parameters: Readonly<Record<string, ParameterFacts>>;
}

/** Every strategy: how updates become the next global model. */
export const strategyFacts: readonly StrategyFacts[] = strategies.map(({ name, kind, parameters }) => ({
  name,
  kind,
  parameters: Object.fromEntries(
    Object.entries(parameters).map(([parameter, { help, default: value }]) => [
      parameter,
      { help, default: value },
    ]),
  ),
}));

/** Every partition scheme: how examples are dealt to clients. */
export const partitionFacts: readonly PartitionFacts[] = partitionSchemeNames.map((scheme) => ({
  scheme,
  meaning: PARTITION_SCHEMES[scheme],
  parameters: Object.fromEntries(
    Object.entries<PartitionParameter>(PARTITION_PARAMETERS).flatMap(
      ([name, { schemes, help, default: value }]) =>
        schemes.includes(scheme) ? [[name, { help, default: value }]] : [],
    ),
  ),
}));
