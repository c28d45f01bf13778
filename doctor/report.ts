/** What doctor found, for people: the machine, a table of the backends, what to do about the missing ones. */
import { styleText } from 'node:util';
import type { BackendFinding, Findings, Machine } from '../lib/formats/findings.js';
import { formatBytes } from '../lib/observability/format.js';

/** How to write it. */
interface ReportStyle {
  readonly color: boolean;
  /** The speed was asked for. */
  readonly measured: boolean;
  /** Columns that a row of the table may take; Infinity where nothing wraps. */
  readonly width: number;
}

/** Columns of a reason at least, however narrow the terminal. */
const SHORTEST_REASON = 30;

type Cell = { readonly text: string; readonly paint?: Parameters<typeof styleText>[0] };

/** The whole report, without its last line feed. */
export function formatFindings(findings: Findings, style: ReportStyle): string {
  const { machine, backends, chosen } = findings;
  const paint = painter(style);
  const blocks = backends.find(({ blockedImages }) => blockedImages !== null)?.blockedImages;
  const install = backends.filter((each) => each.install !== null);
  return [
    paint('bold', 'Machine'),
    ...machineLines(machine),
    '',
    paint('bold', 'Engines'),
    ...table(findings, style),
    '',
    chosen.engine === null
      ? `${paint('bold', 'Chosen')}  ${paint('red', 'none')}`
      : `${paint('bold', 'Chosen')}  ${paint('green', chosen.engine)}  (${chosen.why})`,
    ...(blocks === undefined ? [] : [`${paint('bold', 'Blocked images')}  ${blocks}`]),
    ...(install.length === 0 ? [] : ['', paint('bold', 'To install'), ...installLines(install)]),
  ].join('\n');
}

function machineLines(machine: Machine): readonly string[] {
  const { cpuLimit, memoryLimitBytes } = machine;
  const limit = cpuLimit === null ? 'no limit' : `limited to ${cpuLimit} by the container`;
  const memoryLimit = memoryLimitBytes === null ? '' : `, limited to ${formatBytes(memoryLimitBytes)}`;
  return pairs([
    ['Node', `${machine.node} on ${machine.platform}`],
    ['processor', machine.processor],
    ['cores', `${machine.cores} to use (${machine.processors} processors, ${limit})`],
    ['memory', `${formatBytes(machine.memoryBytes)}${memoryLimit}`],
    ['GPU', machine.gpus.length === 0 ? 'none found' : machine.gpus.join(', ')],
  ]);
}

function installLines(missing: readonly BackendFinding[]): readonly string[] {
  // A package may serve several backends.
  const commands = new Map<string, string[]>();
  for (const { engine, backend, install } of missing) {
    const titles = commands.get(install ?? '') ?? [];
    commands.set(install ?? '', [...titles, `${engine}/${backend}`]);
  }
  return pairs([...commands].map(([command, titles]) => [titles.join(', '), command] as const));
}

/** `  name    value` in two columns. */
function pairs(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}   ${value}`);
}

function table({ backends, machine }: Findings, { color, measured, width }: ReportStyle): readonly string[] {
  const hasGpu = machine.gpus.length > 0;
  const rows = backends.map((each) => cellsOf(each, { measured, hasGpu }));
  const header = ['', 'engine', 'version', 'device', 'threads', ...(measured ? ['img/s'] : []), ''].map(
    (text): Cell => ({ text, paint: 'dim' }),
  );
  const isNumber = (column: number) => column === 4 || (measured && column === 5);
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((cells) => cells[column]?.text.length ?? 0)),
  );
  const paint = painter({ color });
  const widthBefore = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 2);
  return [header, ...rows].map((cells) =>
    `  ${cells
      .map(({ text, paint: style }, column) => {
        const cellWidth = widths[column] ?? 0;
        const isLast = column === cells.length - 1;
        const padded = isLast
          ? shortened(text, width - widthBefore)
          : isNumber(column)
            ? text.padStart(cellWidth)
            : text.padEnd(cellWidth);
        return style === undefined || padded === '' ? padded : paint(style, padded);
      })
      .join('  ')}`.trimEnd(),
  );
}

/** A reason that does not fit into its row; --json has it whole. */
function shortened(text: string, width: number): string {
  return text.length <= Math.max(width, SHORTEST_REASON)
    ? text
    : `${text.slice(0, Math.max(width, SHORTEST_REASON) - 1)}…`;
}

function cellsOf(
  finding: BackendFinding,
  { measured, hasGpu }: { readonly measured: boolean; readonly hasGpu: boolean },
): readonly Cell[] {
  const { engine, backend, version, device, works, threads, imagesPerSecond, installed } = finding;
  // That a GPU does not work where there is none is no fault.
  const isFault = !works && installed && (device === 'cpu' || hasGpu);
  const mark: Cell = works
    ? { text: '✓', paint: 'green' }
    : { text: isFault ? '✗' : '·', paint: isFault ? 'red' : 'dim' };
  const dim = works ? {} : ({ paint: 'dim' } as const);
  return [
    mark,
    { text: `${engine}/${backend}`, ...dim },
    { text: version ?? '', ...dim },
    { text: device === 'gpu' ? 'GPU' : 'CPU', ...dim },
    { text: works && device === 'cpu' ? `${threads}` : '', ...dim },
    ...(measured
      ? [{ text: imagesPerSecond === null ? '' : formatSpeed(imagesPerSecond), paint: 'bold' } as const]
      : []),
    works
      ? { text: finding.reason === null ? sessionNote(finding) : `not measured: ${finding.reason}` }
      : { text: finding.reason ?? '', paint: isFault ? 'red' : 'dim' },
  ];
}

/** What it runs on, where that says more than its name, and how it was measured, where not as the others. */
function sessionNote({ engine, backend, session, batch }: BackendFinding): string {
  const title = `${engine}/${backend}`;
  const more = session?.startsWith(title) ? session.slice(title.length).trim() : (session ?? '');
  return [more, ...(batch === 1 ? ['measured on single images'] : [])]
    .filter((part) => part !== '')
    .join(', ');
}

function formatSpeed(imagesPerSecond: number): string {
  return imagesPerSecond < 10 ? imagesPerSecond.toFixed(1) : `${Math.round(imagesPerSecond)}`;
}

function painter({ color }: Pick<ReportStyle, 'color'>) {
  return (style: Parameters<typeof styleText>[0], text: string): string =>
    // Whether the stream shows colours was decided before.
    color ? styleText(style, text, { validateStream: false }) : text;
}
