/** Settings of the partition, from the registry of partition schemes. */
import {
  PARTITION_PARAMETERS,
  PARTITION_SCHEMES,
  type PartitionParameter,
  type PartitionSettings,
  partitionSchemeNames,
} from '../../federation/partition/settings.js';
import { type Declaration, placed, type SettingsPart } from '../setting.js';
import { choice, number, text, whole } from '../value-type.js';

/** The place of the scheme's name, which decides about the others. */
export const SCHEME = 'federation.partition.scheme';

const COMMON = {
  group: 'Data and partition',
  stages: ['split'],
  affects: 'results',
} as const;

/** How examples are dealt. */
export const PARTITION: SettingsPart<{ readonly federation: { readonly partition: PartitionSettings } }> = {
  settings: placed('federation.partition.', {
    scheme: {
      ...COMMON,
      type: choice(partitionSchemeNames),
      flag: 'partition',
      default: 'iid',
      help: 'how examples are dealt to the clients',
      meanings: PARTITION_SCHEMES,
      symbol: 'scheme',
      recorded: 'always',
      reportName: 'partition',
    },
    ...Object.fromEntries(Object.entries(PARTITION_PARAMETERS).map(([name, each]) => [name, declared(each)])),
    minExamples: {
      ...COMMON,
      type: whole({ min: 1 }),
      default: 1,
      older: 1,
      help: 'fewest examples of each client; a random partition is redrawn until all have them',
      symbol: 'count',
      unit: 'examples',
      recorded: 'always',
      reportName: 'examples per client at least',
    },
  }),
};

function declared({
  schemes,
  help,
  symbol,
  kind,
  default: value,
  reportName,
}: PartitionParameter): Declaration {
  const types = { whole: whole({ min: 1 }), positive: number({ above: 0 }), name: text('a name') };
  return {
    ...COMMON,
    type: types[kind],
    help: value === undefined ? `${schemes.join(', ')}: ${help}` : help,
    symbol,
    defaultsBy: { place: SCHEME, defaults: Object.fromEntries(schemes.map((scheme) => [scheme, value])) },
    recorded: 'if-known',
    ...(reportName === undefined ? {} : { reportName }),
  };
}
