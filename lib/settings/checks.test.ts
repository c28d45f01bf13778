/** Settings that do not go together: each contradiction is refused with its numbers, in the words of whoever asks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import fc from 'fast-check';
import { UsageError } from '../core/errors.js';
import { type Selection, selectedCount } from '../federation/participation.js';
import { parseQuorum } from '../federation/quorum.js';
import { clientSide, type StrategySettings, strategies } from '../federation/strategies/strategy-settings.js';
import { strategySettingsSchema } from '../formats/run-record.js';
import { checkClients, checkParticipation, checkStrategy, strategySettings } from './checks.js';
import { addSettings, askedByFlags, type CommandSettings } from './options.js';
import { STRATEGY } from './parts/strategy.js';
import { runSettings } from './run-settings.js';
import { byFlag, byPlace } from './setting.js';
import { ALL_PARTS, type RunSettings, settingArguments } from './table.js';

const named = byFlag({ parts: ALL_PARTS });

function asked(settings: CommandSettings, args: readonly string[]) {
  const command = addSettings(new Command(), settings)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return askedByFlags(command.parse(args, { from: 'user' }), settings);
}

/** What the command line of an aggregation comes to. */
function parse(...args: readonly string[]): StrategySettings {
  return strategySettings(asked({ parts: [STRATEGY], stage: 'aggregate' }, args));
}

/** What the command line of a run comes to. */
function parseRun(...args: readonly string[]): RunSettings {
  return runSettings(asked({ parts: ALL_PARTS }, args));
}

const refuses = (message: RegExp, ...args: readonly string[]) =>
  assert.throws(
    () => parseRun(...args),
    (error: unknown) => error instanceof UsageError && message.test(error.message),
    args.join(' '),
  );

describe('what clients hold out', () => {
  it('is a share above 0 and below 1', () => {
    assert.equal(parseRun('--client-holdout', '0.1').federation.clientHoldout, 0.1);
    assert.ok(!('clientHoldout' in parseRun().federation));
    for (const wrong of ['0', '1', '1.5', '-0.1', 'a tenth', '']) {
      assert.throws(() => parseRun(`--client-holdout=${wrong}`), /above 0 and below 1/, wrong);
    }
  });
});

describe('who takes part', () => {
  const good: Selection = { clients: 10, fraction: 0.5, minClients: 1 };
  const refused = (changes: Partial<Selection>, quorum: string, message: RegExp, hasFloor = true) =>
    assert.throws(
      () => checkParticipation({ ...good, ...changes }, { quorum: parseQuorum(quorum), hasFloor, named }),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    );

  it('is taken where it can be met', () => {
    const check = (selection: Selection, quorum: string) =>
      checkParticipation(selection, { quorum: parseQuorum(quorum), hasFloor: true, named });
    check(good, '');
    check(good, '5');
    check(good, '100%');
    check({ ...good, fraction: 0.01 }, '1');
    check({ ...good, minClients: 10 }, '10');
  });

  it('is refused where the share is none of the clients, or more than all', () => {
    for (const share of ['0', '-0.1', '1.5', 'NaN']) {
      assert.throws(() => parseRun('--fraction', share), {
        code: 'commander.invalidArgument',
        message: new RegExp(`Expected a number above 0, up to 1, found "${share}"`),
      });
    }
  });

  it('is refused where a share comes to nobody, unless a floor is asked for', () => {
    const message =
      /^--fraction 0\.04 selects none of 10 clients: expected at least 0\.05, or --min-clients 1 for one client a round\.$/;
    refuses(message, '--clients', '10', '--fraction', '0.04');
    const few = parseRun('--clients', '10', '--fraction', '0.04', '--min-clients', '1').federation;
    assert.equal(selectedCount(few), 1);
    assert.equal(selectedCount(parseRun('--clients', '10', '--fraction', '0.05').federation), 1);
    assert.equal(parseRun().federation.minClients, 1);
  });

  it('is refused for more clients than there are, and a quorum above the selected', () => {
    refused({ minClients: 11 }, '', /^--min-clients 11 are more than the 10 clients of --clients\.$/);
    refused({}, '6', /^--quorum 6 is more than the 5 of 10 clients that a round selects \(--fraction 0\.5, /);
    refused({ fraction: 0.01 }, '2', /^--quorum 2 is more than the 1 of 10 clients/);
  });
});

describe('the rounds', () => {
  it('must be able to end', () => {
    parseRun('--rounds', '4', '--patience', '3', '--warm-up-rounds', '3');
    refuses(
      /^--patience 3 can never end a run of --rounds 3: expected more than 3 rounds\.$/,
      ...['--rounds', '3', '--patience', '3'],
    );
    refuses(
      /^--warm-up-rounds 2 leaves none of --rounds 2 at the full learning rate: at most 1 can warm up\.$/,
      ...['--rounds', '2', '--warm-up-rounds', '2'],
    );
  });
});

describe('local training', () => {
  it('is epochs or steps', () => {
    assert.deepEqual(parseRun('--local-steps', '3').training.epochs, undefined);
    refuses(
      /^--epochs 2 and --local-steps 3 contradict each other: give one of them\.$/,
      ...['--epochs', '2', '--local-steps', '3'],
    );
  });

  it('has the learning rate of its optimizer', () => {
    assert.equal(parseRun().training.learningRate, 0.001);
    assert.equal(parseRun('--optimizer', 'sgd').training.learningRate, 0.01);
  });
});

describe('the partition', () => {
  const partition = (...args: readonly string[]) => parseRun(...args).federation.partition;
  it('has the defaults of its scheme', () => {
    assert.deepEqual(partition('--partition', 'dirichlet'), {
      scheme: 'dirichlet',
      alpha: 0.5,
      minExamples: 1,
    });
    assert.deepEqual(partition('--partition', 'pathological'), {
      scheme: 'pathological',
      piecesPerClient: 2,
      minExamples: 1,
    });
  });

  it('takes the parameters of its scheme alone', () => {
    refuses(
      /^--alpha 0\.5 belongs to --partition dirichlet or quantity-skew, not to iid\.$/,
      ...['--alpha', '0.5'],
    );
    refuses(/^--partition by-key needs --key, the name of the array /, '--partition', 'by-key');
  });

  it('has bounds', () => {
    for (const args of [
      ['--partition', 'dirichlet', '--alpha', '0'],
      ['--partition', 'quantity-skew', '--alpha', '-1'],
      ['--partition', 'pathological', '--pieces-per-client', '0'],
      ['--min-examples', '0'],
    ]) {
      assert.throws(() => parseRun(...args), {
        code: 'commander.invalidArgument',
        message: new RegExp(`argument '${args.at(-1)}' is invalid. Expected .*, found "${args.at(-1)}"`),
      });
    }
  });
});

describe('whoever asks', () => {
  it('is answered in their own words', () => {
    const given = { 'training.epochs': 2, 'training.localSteps': 3 };
    assert.throws(() => runSettings({ given, named: byPlace }), {
      message: 'training.epochs 2 and training.localSteps 3 contradict each other: give one of them.',
    });
  });
});

describe('the optimizer', () => {
  it('has Nesterov’s momentum with sgd alone, and one clip', () => {
    assert.equal(parseRun('--optimizer', 'sgd', '--nesterov').training.nesterov, true);
    refuses(/^--nesterov goes with --optimizer sgd alone, found adam\.$/, '--nesterov');
    refuses(
      /^--clip-gradient-value 1 and --clip-gradient-norm 2 contradict each other: give one of them\.$/,
      ...['--clip-gradient-value', '1', '--clip-gradient-norm', '2'],
    );
  });

  it('brings Keras’ default learning rate', () => {
    const rate = (name: string) => parseRun('--optimizer', name).training.learningRate;
    assert.deepEqual(['sgd', 'adamw', 'rmsprop'].map(rate), [0.01, 0.001, 0.001]);
  });

  it('is refused by name where a strategy is not defined for it', () => {
    const sgd = ['--optimizer', 'sgd', '--momentum', '0'];
    for (const [flag, value] of [
      ['--weight-decay', '0.1'],
      ['--clip-gradient-global-norm', '1'],
      ['--optimizer', 'adagrad'],
    ] as const) {
      for (const strategy of ['scaffold', 'fednova']) {
        const message = new RegExp(`^--strategy ${strategy} does not go with ${flag} ${value}: it`);
        const optimizer = flag === '--optimizer' ? [] : sgd;
        refuses(message, '--strategy', strategy, ...optimizer, flag, value);
      }
    }
    assert.equal(parseRun(...sgd, '--weight-decay', '0.1').training.weightDecay, 0.1);
    refuses(/^--momentum 0 belongs to --optimizer adam/, '--optimizer', 'adagrad', '--momentum', '0');
  });
});

describe('the strategy’s flags', () => {
  it('are FedAvg where nothing is asked for, which takes no argument', () => {
    assert.deepEqual(parse(), { name: 'fedavg' });
    assert.deepEqual(settingArguments('aggregate', {}), []);
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
      [/^--server-momentum 0\.5 belongs to --strategy fedavgm, not to fedavg\.$/, '--server-momentum', '0.5'],
      [/^--beta2 0\.5 belongs to --strategy fedadam or fedyogi, not to fedadagrad\.$/, '--beta2', '0.5'],
      [/^--trim 0\.1 belongs to --strategy trimmed-mean, not to median\.$/, '--trim', '0.1'],
      [/^--krum-keep 2 belongs to --strategy multi-krum, not to krum\.$/, '--krum-keep', '2'],
    ];
    for (const [message, ...args] of cases) {
      const [, name = ''] = /not to ([\w-]+)/.exec(message.source) ?? [];
      assert.throws(() => parse('--strategy', name, ...args), { name: 'UsageError', message });
    }
  });

  it('of a clip that follows the updates come with its quantile', () => {
    const clipped = ['--dp-clip', '1', '--dp-noise', '1'];
    for (const flag of ['--dp-clip-learning-rate', '--dp-clip-count-noise']) {
      assert.throws(() => parse(...clipped, flag, '0.1'), {
        name: 'UsageError',
        message: `${flag} 0.1 goes with --dp-clip-quantile alone.`,
      });
    }
    const following = parse(...clipped, '--dp-clip-quantile', '0.3', '--dp-clip-count-noise', '4').privacy;
    assert.deepEqual(
      [following?.quantile, following?.countNoise, following?.clipLearningRate],
      [0.3, 4, undefined],
    );
    assert.deepEqual(strategySettingsSchema.parse({ name: 'fedavg', privacy: following }).privacy, following);
  });

  it('of privacy come together', () => {
    for (const args of [
      ['--dp-noise', '1'],
      ['--dp-delta', '0.1'],
      ['--dp-noise-source', 'seed'],
      ['--dp-clip-quantile', '0.5'],
    ]) {
      const message = `${args.join(' ')} goes with --dp-clip alone.`;
      assert.throws(() => parse(...args), { name: 'UsageError', message });
    }
    const message = 'Differential privacy takes --dp-clip and --dp-noise together, found --dp-clip alone.';
    assert.throws(() => parse('--dp-clip', '1'), { name: 'UsageError', message });
  });

  it('find the noise for an epsilon, where all rounds are known', () => {
    const run = (...args: readonly string[]) =>
      parseRun('--clients', '100', '--fraction', '0.1', '--rounds', '100', ...args).strategy?.privacy;
    const flags = ['--dp-clip', '0.5', '--dp-epsilon', '5.39'];
    assert.deepEqual(run(...flags), { clip: 0.5, noise: 4, delta: 1e-5, noiseSource: 'system' });
    const refused = (message: RegExp, ...args: readonly string[]) =>
      assert.throws(() => run(...args), { name: 'UsageError', message });
    refused(/^--dp-noise 4 and --dp-epsilon 5\.39 contradict each other/, ...flags, '--dp-noise', '4');
    refused(
      /^No noise keeps 100 rounds within --dp-epsilon 1e-9 at --dp-delta 0\.00001/,
      ...['--dp-clip', '0.5', '--dp-epsilon', '1e-9'],
    );
    refused(
      /^Differential privacy takes --dp-clip and --dp-noise \(or --dp-epsilon\) together, found --dp-clip alone\.$/,
      ...['--dp-clip', '0.5'],
    );
    refused(/^--dp-epsilon 5\.39 goes with --dp-clip alone\.$/, ...['--dp-epsilon', '5.39']);
    refused(
      /^--dp-noise 4 and --dp-epsilon 5\.39 contradict/,
      ...['--dp-noise', '4', '--dp-epsilon', '5.39'],
    );
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
            ...(clips && clientSide(name) === undefined ? { clipNorm: whole > 4 ? 'auto' : share } : {}),
          } as StrategySettings;
          assert.deepEqual(parse(...settingArguments('aggregate', { strategy: settings })), settings);
          const following = clips ? { quantile: share, clipLearningRate: share, countNoise: 2 * whole } : {};
          const privacy = {
            clip: share,
            noise: whole,
            delta: share,
            noiseSource: 'seed' as const,
            ...following,
          };
          const secret: StrategySettings = { name: 'fedavg', privacy };
          assert.deepEqual(parse(...settingArguments('aggregate', { strategy: secret })), secret);
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
      [{ name: 'trimmed-mean', trim: 0.5 }, /--trim 0.5 leaves nothing to average/],
      [{ name: 'trimmed-mean', trim: 1.5 }, /--trim 1.5 leaves nothing to average/],
    ];
    for (const [settings, message] of cases) {
      assert.throws(() => checkStrategy(settings, named), { name: 'UsageError', message });
    }
    for (const { name } of strategies) checkStrategy(parse('--strategy', name), named);
    checkStrategy({ ...parse('--strategy', 'fedadam'), privacy }, named);
    for (const norm of ['3', 'auto']) {
      assert.throws(() => parse('--clip-norm', norm, '--dp-clip', '1', '--dp-noise', '1'), {
        message: `--dp-clip 1 and --clip-norm ${norm} contradict each other: give one of them.`,
      });
    }
    assert.throws(() => checkStrategy({ name: 'scaffold', clipNorm: 'auto' } as StrategySettings, named), {
      message: /^--clip-norm does not go with --strategy scaffold/,
    });
  });

  it('are refused for the number of clients', () => {
    const check = (settings: StrategySettings, selected: number, clients = 100) =>
      checkClients(settings, { selected, clients }, named);
    check({ name: 'krum', byzantine: 2 }, 7);
    assert.throws(() => check({ name: 'krum', byzantine: 2 }, 6), {
      name: 'UsageError',
      message: /--byzantine 2 \(2f \+ 3\) needs at least 7 clients in a round, found 6/,
    });
    assert.throws(() => check({ name: 'trimmed-mean', trim: 2 }, 4), /--trim 2 needs at least 5 clients/);
    check({ name: 'fedavg', privacy }, 10);
    const loose = { ...privacy, delta: 0.01 };
    assert.throws(() => check({ name: 'fedavg', privacy: loose }, 10), /--dp-delta 0.01 of 100 clients/);
    const following = { ...privacy, quantile: 0.5 };
    check({ name: 'fedavg', privacy: following }, 11);
    check({ name: 'fedavg', privacy: { ...following, countNoise: 0.51 } }, 2);
    assert.throws(
      () => check({ name: 'fedavg', privacy: following }, 10),
      /--dp-noise 1 that takes --dp-clip-count-noise above 0\.5, found 0\.5 for 10 clients in a round\./,
    );
  });
});
