/** The strategy's flags: defaults, whose option is whose, and the way from settings back to flags. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import fc from 'fast-check';
import { type StrategySettings, strategyNames } from '../federation/strategies/strategy-settings.js';
import { addStrategyOptions, type StrategyFlags, strategyArguments, strategyOf } from './strategy-options.js';

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
        fc.constantFrom(...strategyNames),
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
            ...(clips ? { clipNorm: share } : {}),
          } as StrategySettings;
          assert.deepEqual(parse(...strategyArguments(settings)), settings);
          const privacy = { clip: share, noise: whole, delta: share, noiseSource: 'seed' as const };
          const secret: StrategySettings = { name: 'fedavg', privacy };
          assert.deepEqual(parse(...strategyArguments(secret)), secret);
        },
      ),
    ));
});
