/** Results as text: lines for a terminal, Markdown for RESULTS.md, and the JSON that programs read. */
import { goalsOf, ratioTo, sameCell, type Results, type Run } from './results.ts';

type Row = readonly string[];

/** A load average from which on other programs take a share that shows. */
export const BUSY_LOAD = 0.7;

const HEADINGS: Row = [
  'work',
  'callers',
  'bytes',
  'system',
  'ops/s',
  'MB/s',
  'p50 ms',
  'p99 ms',
  'PennCloud',
  'servers µs/op',
  'client µs/op',
  'errors',
];
/** Columns of words; the others hold numbers. */
const LEFT = new Set(['work', 'system']);

/** Exactly what `--json` prints. */
export function asJson({ runs }: Results): string {
  const round = (n: number, digits: number): number => Number(n.toFixed(digits));
  return JSON.stringify({
    runs: runs.map(({ system, work, callers, valueBytes, opsPerSecond, p50Ms, p99Ms }) => ({
      system,
      work,
      callers,
      valueBytes,
      opsPerSecond: round(opsPerSecond, 1),
      p50Ms: round(p50Ms, 3),
      p99Ms: round(p99Ms, 3),
    })),
  });
}

export function asText(results: Results): string {
  const rows = rowsOf(results);
  const widths = HEADINGS.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: Row): string =>
    row
      .map((cell, i) => (LEFT.has(HEADINGS[i]!) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  const goals = goalsOf(results).map(
    ({ name, wanted, got, met }) => `  ${met ? 'met   ' : 'missed'}  ${name}: ${got} (wanted ${wanted})`,
  );
  return [
    line(HEADINGS),
    ...rows.map((row, i) => (i > 0 && startsCell(results.runs, i) ? `\n${line(row)}` : line(row))),
    '',
    ...machineLines(results),
    ...(goals.length > 0 ? ['', 'Goals:', ...goals] : []),
    ...errorLines(results),
  ].join('\n');
}

/** The whole of RESULTS.md. */
export function asMarkdown(results: Results): string {
  const table = (headings: Row, rows: readonly Row[]): string[] => [
    `| ${headings.join(' | ')} |`,
    `| ${headings.map((heading) => (LEFT.has(heading) || headings !== HEADINGS ? '---' : '---:')).join(' | ')} |`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ];
  return [
    '# Results',
    '',
    `Written by \`npm run bench\` on ${results.startedAt.toISOString().slice(0, 10)}; ${results.rounds} ${results.rounds === 1 ? 'round' : 'rounds'} of windows of ${results.windowSeconds} s, interleaved, ${Math.round(results.tookSeconds / 60)} minutes.${busy(results)} How it measures, and what may be concluded, is in [README.md](README.md).`,
    '',
    ...machineLines(results).map((line) => `* ${line}`),
    '',
    '## Goals',
    '',
    ...table(
      ['goal', 'wanted', 'got', ''],
      goalsOf(results).map(({ name, wanted, got, met }) => [name, wanted, got, met ? 'met' : 'missed']),
    ),
    '',
    '## All figures',
    '',
    '"PennCloud" is how many times as fast PennCloud is in that row. µs/op is processor time for one operation, of the three servers together and of the load generator.',
    '',
    ...table(HEADINGS, rowsOf(results)),
    ...errorLines(results),
    '',
    '## What a put waited for',
    '',
    ...results.systems.flatMap(({ system, version, guarantees, checked }) => [
      `* ${system} ${version}: ${guarantees.join('; ')}. ${checked} values read back after the run were as last acknowledged.`,
    ]),
    '',
  ].join('\n');
}

function rowsOf({ runs }: Results): Row[] {
  return runs.map((run) => {
    const ratio = run.system === 'penncloud' ? undefined : ratioTo(run, runs);
    return [
      run.work,
      String(run.callers),
      String(run.valueBytes),
      run.system,
      Math.round(run.opsPerSecond).toLocaleString('en'),
      run.megabytesPerSecond.toFixed(1),
      run.p50Ms.toFixed(2),
      run.p99Ms.toFixed(2),
      ratio === undefined ? '' : `${ratio.toFixed(2)}×`,
      run.serverMicroseconds.toFixed(0),
      run.generatorMicroseconds.toFixed(0),
      run.errors === 0 ? '' : String(run.errors),
    ];
  });
}

function machineLines({ machine, disk, loopback, systems }: Results): string[] {
  const { processor, cores, memoryGiB, system, node, load } = machine;
  return [
    `${cores} × ${processor}, ${memoryGiB} GiB of memory, ${system}, Node ${node}; load average before the run ${load.toFixed(1)}`,
    `disk: ${machine.disk}; ${disk
      .map(
        ({ writeBytes, writesPerSecond, megabytesPerSecond, p50Ms, p99Ms }) =>
          `synced writes of ${writeBytes} bytes: ${Math.round(writesPerSecond).toLocaleString('en')}/s, ${megabytesPerSecond.toFixed(0)} MB/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`,
      )
      .join('; ')}`,
    `loopback round trip: p50 ${loopback.p50Ms.toFixed(3)} ms, p99 ${loopback.p99Ms.toFixed(3)} ms`,
    systems.map(({ system, version }) => `${system} ${version}`).join(', '),
  ];
}

/** A sentence where the figures need one. */
function busy({ machine }: Results): string {
  return machine.load > BUSY_LOAD
    ? ' **The machine was busy with other things: only ratios say something, and those roughly.**'
    : '';
}

function errorLines({ runs }: Results): string[] {
  const failing = runs.filter(({ errors }) => errors > 0);
  if (failing.length === 0) return [];
  return [
    '',
    'Errors:',
    '',
    ...failing.map(
      ({ system, work, callers, valueBytes, errors, firstError }) =>
        `* ${system}, ${work}, ${callers} callers, ${valueBytes} bytes: ${errors}, the first: ${firstError}`,
    ),
  ];
}

function startsCell(runs: readonly Run[], i: number): boolean {
  return !sameCell(runs[i]!, runs[i - 1]!);
}
