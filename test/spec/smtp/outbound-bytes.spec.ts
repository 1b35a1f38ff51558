/**
 * What is sent to other systems can be read in one way only: whatever bytes a message has, the peer hears lines that end
 * in CRLF (RFC 5321 §2.3.8), with every dot at a line's start doubled (§4.5.2), and one end. So nothing that was smuggled
 * into a message here comes out of it there.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Session, STAGES } from '../../../gateways/smtp/outbound/transport/session.ts';
import { startPeer, type ScriptedPeer } from '../../mail-world/scripted-peer.ts';

let peer: ScriptedPeer;
let session: Session;
beforeAll(async () => {
  peer = await startPeer();
  session = await Session.open({
    ...{ name: 'mx.one.test', address: '127.0.0.1', port: peer.port, encryption: 'none' },
    ...{ ownName: 'penncloud.test', ca: undefined, stages: STAGES },
  });
});
afterAll(async () => {
  session?.close();
  await peer?.stop();
});

const SMUGGLED = 'MAIL FROM:<a@one.test>\r\nRCPT TO:<b@one.test>\r\nDATA\r\nx';
const token = fc.constantFrom('\r', '\n', '\r\n', '.', '\r\n.', '..', 'a', '\0', '\xff', SMUGGLED);
/** Longer than the pieces that it is written in, so that a line end and its dot are torn apart. */
const padding = fc.constantFrom(0, 65_531, 65_533, 65_534, 65_535);

it('one message, without bare CR or LF, with no dot at the start of a line but a doubled one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(token, { maxLength: 24 }), padding, async (tokens, padded) => {
      const content = `${'p'.repeat(padded)}${tokens.join('')}`;
      const before = { taken: peer.taken.length, heard: peer.heard.length };
      const letter = { from: 'ann@penncloud.test', to: ['bob@one.test'], mayEnd: () => true };
      const verdicts = await session.send({ ...letter, bytes: Buffer.from(content, 'latin1') });
      expect(verdicts.map(({ outcome }) => outcome)).toEqual(['delivered']);
      expect(peer.taken.length).toBe(before.taken + 1);
      expect(peer.heard.slice(before.heard).map((line) => line.slice(0, 4))).toEqual([
        'MAIL',
        'RCPT',
        'DATA',
      ]);
      const { data } = peer.taken.at(-1)!;
      expect(data).not.toMatch(/(^|[^\r])\n|\r(?!\n)/);
      expect(data).not.toMatch(/(^|\n)\.(?!\.)/);
      const lines = content.replace(/\r\n|\r|\n/g, '\r\n');
      const sent = data.replace(/(^|\n)\.\./g, '$1.');
      expect(sent === lines || sent === `${lines}\r\n`).toBe(true);
    }),
    { numRuns: 150 },
  );
});
