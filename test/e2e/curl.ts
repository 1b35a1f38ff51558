/** curl, as anyone would run it, and what it was told. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export type Told = {
  /** curl's own exit code: 0 if the answer came whole. */
  readonly code: number | null;
  readonly status: number;
  /** Of the last answer, in lower case; several lines of one name are joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** Status codes of all answers, with those of redirects and 100 Continue. */
  readonly statuses: readonly number[];
  readonly body: Buffer;
  /** What -v printed. */
  readonly said: string;
};

export async function curl(args: readonly string[], input?: Buffer): Promise<Told> {
  return startCurl(args, input).told;
}

/** Under way: `said` is what -v has printed up to now. */
export function startCurl(args: readonly string[], input?: Buffer): { told: Promise<Told>; said(): string } {
  const child = spawn('curl', ['--silent', '--show-error', '--include', ...args]);
  const out: Buffer[] = [];
  let said = '';
  child.stdout.on('data', (piece: Buffer) => out.push(piece));
  child.stderr.on('data', (piece: Buffer) => (said += piece.toString()));
  // It may have its answer before it has sent everything.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const told = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    ...readAnswers(Buffer.concat(out)),
    said,
  }));
  return { told, said: () => said };
}

/** Heads one after another, then the body of the last. */
function readAnswers(bytes: Buffer): Pick<Told, 'status' | 'headers' | 'statuses' | 'body'> {
  const statuses: number[] = [];
  let headers: Record<string, string> = {};
  let at = 0;
  for (;;) {
    const status = /^HTTP\/[\d.]+ (\d{3})/.exec(bytes.subarray(at, at + 20).toString('latin1'))?.[1];
    const end = bytes.indexOf('\r\n\r\n', at);
    if (status === undefined || end < 0) break;
    statuses.push(Number(status));
    headers = {};
    for (const line of bytes.subarray(at, end).toString('latin1').split('\r\n').slice(1)) {
      const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
      const known = headers[name.toLowerCase()];
      headers[name.toLowerCase()] = known === undefined ? value : `${known}, ${value}`;
    }
    at = end + 4;
  }
  return { status: statuses.at(-1) ?? 0, headers, statuses, body: bytes.subarray(at) };
}
