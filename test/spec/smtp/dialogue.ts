/**
 * Golden scripts of SMTP dialogues: `C:` is what the client sends, `S:` what the server must answer,
 * `@` sets the scene, `#` is a remark. `C:` lines that follow each other are sent in one piece, so a
 * script can pipeline.
 *
 * In a `C:` line `{CR}`, `{LF}`, `{NUL}` and `{e9}` stand for those bytes, and `{70000 a}` for 70,000
 * of a character; a line that ends in `{open}` is sent without CRLF. `{50 lines}` in front repeats the
 * line. In an `S:` line `{id}` stands for a message id and `{any}` for anything.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SmtpClient } from '../../e2e/smtp-client.ts';

export type Step = { readonly say: Buffer } | { readonly expect: string } | { readonly scene: string };
export type Dialogue = { readonly title: string; readonly steps: readonly Step[] };

export function readDialogues(folder: string): Dialogue[] {
  return readdirSync(folder)
    .sort()
    .map((file) => ({
      title: file.replace(/\.txt$/, '').replaceAll('-', ' '),
      steps: readSteps(readFileSync(join(folder, file), 'utf8')),
    }));
}

function readSteps(script: string): Step[] {
  const steps: Step[] = [];
  for (const line of script.split('\n')) {
    const text = line.slice(3);
    const last = steps.at(-1);
    if (line.startsWith('@ ')) steps.push({ scene: line.slice(2) });
    else if (line.startsWith('C:')) {
      const say = bytesOf(text);
      if (last && 'say' in last) steps[steps.length - 1] = { say: Buffer.concat([last.say, say]) };
      else steps.push({ say });
    } else if (line.startsWith('S:')) {
      // A line of a reply that goes on has a dash behind its code.
      if (last && 'expect' in last && /(^|\n)\d{3}-[^\n]*$/.test(last.expect)) {
        steps[steps.length - 1] = { expect: `${last.expect}\n${text}` };
      } else steps.push({ expect: text });
    } else if (line !== '' && !line.startsWith('#')) throw new Error(`not a dialogue line: ${line}`);
  }
  return steps;
}

function bytesOf(line: string): Buffer {
  const [, times = '1', content = ''] = /^(?:\{(\d+) lines\})?(.*)$/.exec(line) ?? [];
  const open = content.endsWith('{open}');
  const text = Buffer.from(open ? content.slice(0, -'{open}'.length) : content, 'utf8')
    .toString('latin1')
    .replaceAll('{CR}', '\r')
    .replaceAll('{LF}', '\n')
    .replaceAll('{NUL}', '\0')
    .replace(/\{([0-9a-f]{2})\}/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\{(\d+) (.)\}/g, (_, count: string, character: string) => character.repeat(Number(count)));
  return Buffer.from(`${text}${open ? '' : '\r\n'}`.repeat(Number(times)), 'latin1');
}

/** Plays the dialogue; returns what the server said beside what it should have said. */
export async function play(
  dialogue: Dialogue,
  client: SmtpClient,
  onScene: (scene: string) => void,
): Promise<{ said: string[]; expected: string[] }> {
  const said: string[] = [];
  const expected: string[] = [];
  for (const step of dialogue.steps) {
    if ('scene' in step) onScene(step.scene);
    else if ('say' in step) client.write(step.say);
    else if (step.expect === '(closed)') {
      expected.push(step.expect);
      said.push(
        await client.answer().then(
          ({ text }) => text,
          () => '(closed)',
        ),
      );
    } else {
      const { text } = await client.answer();
      expected.push(step.expect);
      // Where the script matches, show the script: a difference then shows only what differs.
      said.push(pattern(step.expect).test(text) ? step.expect : text);
    }
  }
  return { said, expected };
}

function pattern(expect: string): RegExp {
  const escaped = expect.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('{id}', '[a-z2-7]{26}').replaceAll('{any}', '[^\\n]*')}$`);
}
