/** The strategy's flags: defaults, whose option is whose, and the way from settings back to flags. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import fc from 'fast-check';
import { clientSide, type StrategySettings, strategies } from '../federation/strategies/strategy-settings.js';
import {
  addStrategyOptions,
  checkClients,
  checkStrategy,
  type StrategyFlags,
  strategyArguments,
  strategyOf,
} from './strategy-options.js';

/** What a command line comes to. */
function parse(...args: readonly string[]): StrategySettings {
  const command = addStrategyOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return strategyOf(command.parse(args, { from: 'user' }).opts<StrategyFlags>());
}

describe('the strategy’s flags', () => {
  it('are FedAvg where nothing is asked for, which takes no argument', () => {
    assert.deepEqual(parse(), { name: 'fedavg' });
    assert.deepEqual(strategyArguments(parse()), []);
  });

  it('bring the defaults of their strategy', () => {
    assert.deepEqual(parse('--strategy', 'fedavgm'), {
      name: 'fedavgm',
      serverLearningRate: 1,
      serverMomentum: 0.9,
    });
    assert.deepEqual(parse('--strategy', 'fedadam', '--beta2', '0.5'), {
      name: 'fedadam',
      serverLearningRate: 0.01,
      beta1: 0.9,
      beta2: 0.5,
      tau: 0.001,
    });
    assert.deepEqual(parse('--strategy', 'multi-krum'), { name: 'multi-krum', byzantine: 1 });
    assert.deepEqual(parse('--dp-clip', '0.5', '--dp-noise', '2').privacy, {
      clip: 0.5,
      noise: 2,
      delta: 1e-5,
      noiseSource: 'system',
    });
  });

  it('of another strategy are refused by name', () => {
    const cases: readonly (readonly [RegExp, ...string[]])[] = [
      [
        /^--server-momentum does not belong to --strategy fedavg, but to fedavgm\.$/,
        '--server-momentum',
        '0.5',
      ],
      [/^--beta2 does not belong to --strategy fedadagrad, but to fedadam, fedyogi\.$/, '--beta2', '0.5'],
      [/^--trim does not belong to --strategy median, but to trimmed-mean\.$/, '--trim', '0.1'],
      [/^--krum-keep does not belong to --strategy krum, but to multi-krum\.$/, '--krum-keep', '2'],
    ];
    for (const [message, ...args] of cases) {
      const [, name = ''] = /--strategy ([\w-]+),/.exec(message.source) ?? [];
      assert.throws(() => parse('--strategy', name, ...args), { name: 'UsageError', message });
    }
  });

  it('of privacy come together', () => {
    for (const args of [
      ['--dp-clip', '1'],
      ['--dp-noise', '1'],
      ['--dp-delta', '0.1'],
      ['--dp-noise-source', 'seed'],
    ]) {
      const message = `Differential privacy takes --dp-clip and --dp-noise together, found ${args[0]}.`;
      assert.throws(() => parse(...args), { name: 'UsageError', message });
    }
  });

  it('find the noise for an epsilon, where all rounds are known', () => {
    const rounds = { participants: 10, population: 100, rounds: 100 };
    const flags = { strategy: 'fedavg', dpClip: 0.5, dpEpsilon: 5.39 } as const;
    assert.deepEqual(strategyOf(flags, rounds).privacy, {
      clip: 0.5,
      noise: 4,
      delta: 1e-5,
      noiseSource: 'system',
    });
    const refused = (changed: Partial<StrategyFlags>, message: RegExp) =>
      assert.throws(() => strategyOf({ ...flags, ...changed }, rounds), { name: 'UsageError', message });
    refused({ dpNoise: 4 }, /^--dp-noise 4 and --dp-epsilon 5\.39 both say/);
    refused(
      { dpEpsilon: 1e-9 },
      /^No noise keeps 100 rounds within --dp-epsilon 1e-9 at --dp-delta 0\.00001/,
    );
    const { dpClip: _, ...without } = flags;
    assert.throws(() => strategyOf(without, rounds), {
      message:
        'Differential privacy takes --dp-clip and --dp-noise (or --dp-epsilon) together, found --dp-epsilon.',
    });
  });

  it('have bounds', () => {
    const cases = [
      ['--beta1', '1'],
      ['--tau', '0'],
      ['--server-learning-rate', '0'],
      ['--byzantine', '1.5'],
      ['--krum-keep', '0'],
      ['--clip-norm', '0'],
      ['--dp-delta', '1'],
      ['--strategy', 'fedmagic'],
    ];
    for (const args of cases)
      assert.throws(() => parse(...args), { code: /invalidArgument/ }, args.join(' '));
  });

  it('come back from the settings that they make', () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...strategies.map((each) => each.name)),
        fc.double({ min: 1e-9, max: 0.4, noNaN: true }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (name, share, whole, clips) => {
          const defaults = parse('--strategy', name);
          const changed = Object.fromEntries(
            Object.keys(defaults).map((key) => [key, key === 'byzantine' ? whole : share]),
          );
          const settings = {
            ...changed,
            name,
            ...(name === 'multi-krum' && clips ? { keep: whole } : {}),
            ...(clips && clientSide(name) === undefined ? { clipNorm: share } : {}),
          } as StrategySettings;
          assert.deepEqual(parse(...strategyArguments(settings)), settings);
          const privacy = { clip: share, noise: whole, delta: share, noiseSource: 'seed' as const };
          const secret: StrategySettings = { name: 'fedavg', privacy };
          assert.deepEqual(parse(...strategyArguments(secret)), secret);
        },
      ),
    ));
});

describe('settings that do not go together', () => {
  const privacy = { clip: 1, noise: 1, delta: 1e-5, noiseSource: 'system' } as const;
  it('are refused with the reason', () => {
    const cases: readonly (readonly [StrategySettings, RegExp])[] = [
      [{ name: 'median', privacy }, /--dp-clip does not go with --strategy median/],
      [{ name: 'krum', byzantine: 1, privacy }, /--dp-clip does not go with --strategy krum/],
      [{ name: 'fedavg', clipNorm: 3, privacy }, /--clip-norm 3 and --dp-clip 1 both clip/],
      [{ name: 'trimmed-mean', trim: 0.5 }, /--trim 0.5 leaves nothing to average/],
      [{ name: 'trimmed-mean', trim: 1.5 }, /--trim 1.5 leaves nothing to average/],
    ];
    for (const [settings, message] of cases) {
      assert.throws(() => checkStrategy(settings), { name: 'UsageError', message });
    }
    for (const { name } of strategies) checkStrategy(parse('--strategy', name));
    checkStrategy({ ...parse('--strategy', 'fedadam'), privacy });
  });

  it('are refused for the number of clients', () => {
    const check = (settings: StrategySettings, selected: number, clients = 100) =>
      checkClients(settings, { selected, clients });
    check({ name: 'krum', byzantine: 2 }, 7);
    assert.throws(() => check({ name: 'krum', byzantine: 2 }, 6), {
      name: 'UsageError',
      message: /--byzantine 2 \(2f \+ 3\) needs at least 7 clients in a round, found 6/,
    });
    assert.throws(() => check({ name: 'trimmed-mean', trim: 2 }, 4), /--trim 2 needs at least 5 clients/);
    check({ name: 'fedavg', privacy }, 10);
    const loose = { ...privacy, delta: 0.01 };
    assert.throws(() => check({ name: 'fedavg', privacy: loose }, 10), /--dp-delta 0.01 of 100 clients/);
  });
});
