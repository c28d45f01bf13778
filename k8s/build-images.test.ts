import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { projectRoot } from '../test/sources.js';

const SCRIPT = join(projectRoot, 'k8s', 'build-images.sh');
const PROGRAMS = ['splitter', 'trainer', 'aggregator', 'evaluator', 'server', 'pipeline'];
const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8');
const { version } = JSON.parse(read('package.json')) as { readonly version: string };

const build = (...args: readonly string[]) => execa(SCRIPT, args, { reject: false });

describe('build-images.sh', () => {
  it('builds every image, named and tagged as the manifests name it', async () => {
    const { stdout, exitCode } = await build('--dry-run', '--builder', 'docker');
    assert.equal(exitCode, 0);
    const commands = stdout.trim().split('\n');
    assert.deepEqual(
      commands.map((command) => /^docker build .*--target (\S+) --tag (\S+) \. ?$/.exec(command)?.slice(1)),
      PROGRAMS.map((program) => [program, `fedbatch/${program}:${version}`]),
    );
  });

  it('takes other names, another base image, another builder, and pushes', async () => {
    const { stdout } = await build(
      ...[
        '--dry-run',
        '--builder=buildah',
        '--prefix=example.com/me/',
        '--tag',
        '2.0',
        '--node',
        'node:24-slim',
      ],
      ...['--push', 'trainer-gpu'],
    );
    const [command = '', push] = stdout.trim().split('\n');
    // Without this format an image has no HEALTHCHECK.
    assert.match(command, /^buildah build --format docker .*--build-arg NODE_IMAGE=node:24-slim /);
    assert.match(command, /--target trainer-gpu --tag example\.com\/me\/trainer-gpu:2\.0 \. ?$/);
    assert.match(push ?? '', /^buildah push --digestfile \S+ example\.com\/me\/trainer-gpu:2\.0 ?$/);
  });

  it('signs what it has pushed by its digest, with its bill of materials, and leaves no record in public', async () => {
    const args = ['--dry-run', '--builder', 'docker', '--push', '--sign', 'awskms:///alias/ours', 'trainer'];
    const { stdout } = await build(...args);
    const [, push, ...signing] = stdout
      .trim()
      .split('\n')
      .map((line) => line.trim());
    const image = `fedbatch/trainer:${version}`;
    assert.equal(push, `docker push ${image}`);
    const common = '--yes --key awskms:///alias/ours --tlog-upload=false';
    const signed = 'fedbatch/trainer@sha256:DIGEST';
    assert.equal(signing[0], `cosign sign ${common} ${signed}`);
    assert.match(signing[1] ?? '', /^cosign attest .* --type cyclonedx --predicate \S+\/trainer\.cdx\.json /);
    assert.ok(signing[1]?.includes(common) && signing[1].endsWith(signed));
  });

  it('ends with exit code 2 and a sentence on wrong usage, and explains itself', async () => {
    for (const [args, sentence] of [
      [['nobody'], /there is no image nobody/],
      [['--bogus'], /unknown option --bogus/],
      [['--tag'], /--tag needs a value/],
      [['--dry-run', '--sign', SCRIPT], /--sign needs --push: signatures lie beside the image/],
      [['--dry-run', '--push', '--sign', 'no.key'], /expected the file of a private key, found no no\.key/],
      [['--dry-run', '--builder', 'make'], /expected docker, podman or buildah, found make/],
    ] as const) {
      const { exitCode, stderr } = await build(...args);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, sentence);
    }
    assert.match((await build('--help')).stdout, /^Usage: k8s\/build-images\.sh /);
  });
});

describe('the Dockerfile', () => {
  const dockerfile = read('Dockerfile');

  it('has a target for each image, which starts a program that there is', () => {
    for (const program of [...PROGRAMS, 'trainer-gpu']) {
      assert.match(dockerfile, new RegExp(`^FROM \\S+ AS ${program}$`, 'm'));
    }
    const entries = [...dockerfile.matchAll(/ENTRYPOINT \["node", "\/app\/(dist\/[^"]+)"\]/g)];
    assert.equal(entries.length, PROGRAMS.length);
    for (const [, path = ''] of [...entries, ...dockerfile.matchAll(/ (dist\/[\w/-]+\.js)\b/g)]) {
      assert.ok(existsSync(join(projectRoot, path)), path);
    }
  });

  it('tells the version of the package', () => {
    assert.equal(/^ARG VERSION=(.+)$/m.exec(dockerfile)?.[1], version);
  });
});
