/** The README's commands for a cluster, as they stand there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../sources.js';

/** Each of these is followed by the wait that the README asks for. */
const JOB = /k8s\/(?:\d+-)(splitter|trainer|aggregator|accuracy-test)\.yaml/;

/** Lines for a shell; after each Job the one that waits for it. */
export function readmeCommands(): readonly string[] {
  const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
  const [, section = ''] = /\n## On Kubernetes\n([\s\S]*?)\n## /.exec(readme) ?? [];
  const [, block = ''] = /```\n([\s\S]*?)```/.exec(section) ?? [];
  const commands = block.trim().split('\n');
  assert.ok(commands.length >= 6 && commands.some((line) => line.includes('kubectl apply')), block);
  const wait = /`(kubectl wait [^`]+)`/.exec(section)?.[1] ?? '';
  return commands.flatMap((line) => {
    const [, stage] = JOB.exec(line) ?? [];
    return stage === undefined ? [line] : [line, wait.replace(/job\/\S+/, `job/fedbatch-${stage}`)];
  });
}
