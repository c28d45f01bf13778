/** What the guides show: commands that work as they stand, with the options' own names, and files that are there. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { COMMAND_NAMES, commandNamed } from './programs.js';
import { projectRoot } from './sources.js';

/** Options that all programs share. */
const COMMON = ['--help', '--version', '--debug', '--quiet', '--log-format'];

interface Guide {
  readonly path: string;
  readonly text: string;
}

const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8');
const guides: readonly Guide[] = [
  ...['README.md', 'CONTRIBUTING.md'],
  ...readdirSync(join(projectRoot, 'docs')).map((name) => `docs/${name}`),
  ...readdirSync(join(projectRoot, 'examples')).map((name) => `examples/${name}/README.md`),
]
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: read(path) }));

/** The lines of fenced code, those that go on after `\` joined. */
function codeLines(text: string): readonly string[] {
  return [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block.replaceAll(/\\\n\s*/g, ' ').split('\n'),
  );
}

/** What stands in code, fenced or within a line. */
const codeOf = (text: string) => [
  ...codeLines(text),
  ...[...text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code),
];

/** The calls of fedbatch in a line of code: what follows the name, up to a pipe, a redirection, a comment or the next command. */
const callsIn = (code: string) =>
  [...code.matchAll(/\bnpx fedbatch ([^|>#&;`]*)/g)].map(([, call = '']) => call.trim().split(/\s+/));

test('every command that a guide shows has the options that it shows, by the names of the help', async () => {
  let calls = 0;
  for (const { path, text } of guides) {
    for (const words of codeOf(text).flatMap(callsIn)) {
      const [name = ''] = words;
      if (/^[<…]/.test(name) || name === '') continue;
      assert.ok(COMMAND_NAMES.includes(name), `${path} shows npx fedbatch ${name}`);
      let command = await commandNamed(name);
      for (const word of words.slice(1)) {
        command = command.commands.find((each) => each.name() === word) ?? command;
        const flag = /^--[a-z][\w-]*/.exec(word)?.[0];
        if (flag === undefined || COMMON.includes(flag)) continue;
        assert.ok(
          command.options.some(({ long }) => long === flag),
          `${path}: npx fedbatch ${words.join(' ')}: there is no ${flag}`,
        );
      }
      calls++;
    }
  }
  assert.ok(calls > 60, `only ${calls} commands were found`);
});

test('no guide and no help shows a command that is not on the PATH of a checkout', async () => {
  const bare = /(?:^|[|;&(]\s*|\bdo\s+|\$ )fedbatch (?!serve`|\|)/m;
  for (const { path, text } of guides) {
    for (const line of codeLines(text)) assert.doesNotMatch(line, bare, path);
  }
  for (const name of COMMAND_NAMES) {
    const command = await commandNamed(name);
    for (const each of [command, ...command.commands]) {
      let shown = '';
      each.configureOutput({
        writeOut: (part) => {
          shown += part;
        },
      });
      each.outputHelp();
      const bareCommand = new RegExp(
        `(?<!npx )(?<![\\w/.-])fedbatch (?:${COMMAND_NAMES.join('|')})\\b.{0,40}`,
      );
      assert.equal(bareCommand.exec(shown.replaceAll(/\s+/g, ' '))?.[0], undefined, name);
    }
  }
});

test('the files that the guides name and link are there', () => {
  const ours = readdirSync(projectRoot, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\.|node_modules$|dist$|runs$|volume$)/.test(entry.name))
    .map(({ name }) => name);
  let found = 0;
  for (const { path, text } of guides) {
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      assert.ok(existsSync(join(projectRoot, dirname(path), target)), `${path} links ${target}`);
      found++;
    }
    for (const code of codeOf(text)) {
      for (const [file] of code.matchAll(
        /(?<![\w/.<~$"-])[\w-]+\/[\w./-]*\w\.(?:sh|ts|mjs|py|yaml|md|png|json)\b/g,
      )) {
        if (!ours.includes(file.split('/')[0] ?? '')) continue;
        assert.ok(existsSync(join(projectRoot, file)), `${path} names ${file}`);
        found++;
      }
    }
  }
  assert.ok(found > 40, `only ${found} were found`);
});
