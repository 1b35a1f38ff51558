/**
 * Clients that are slow without end, or send without end: each of them is cut off at a limit, what it sent takes no
 * memory, and who else is there is served meanwhile.
 */
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { openDoors, PASSWORD, plainLogIn, type Doors } from './doors.ts';

let doors: Doors;
afterEach(() => doors?.close());

const MIB = 1024 * 1024;
const FROM_AND_TO = 'MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@penncloud.test>\r\n';

/** Byte after byte, as long as anybody listens. */
async function dribble(client: SmtpClient, everyMs: number): Promise<void> {
  while (!client.isOver) {
    client.write('x');
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

async function isServed(): Promise<void> {
  const other = await doors.mx();
  const answer = await other.send('a@b.example', ['carol@penncloud.test'], Buffer.from('Subject: x\r\n\r\n'));
  expect(answer.code).toBe(250);
}

describe('a client that sends a byte now and then (RFC 5321 §4.5.3.2)', () => {
  it('as a command, is sent away when its time is over, and others are served', async () => {
    doors = await openDoors({ intake: { pace: { commandMs: 400 } } });
    const client = await doors.mx();
    const dribbled = dribble(client, 20);
    await isServed();
    expect((await client.answer()).text).toMatch(/^421 4\.4\.2 No whole command within 0\.4 s/);
    await expect(client.answer()).rejects.toThrow();
    await dribbled;
    await expect.poll(() => doors.intake.stats().connections).toBeLessThanOrEqual(1);
  });

  it('as a message, is sent away when it stays below the least speed', async () => {
    doors = await openDoors({ intake: { pace: { dataMs: 400, dataBytesPerSecondMin: 1000 } } });
    const client = await doors.mx();
    await client.say(FROM_AND_TO);
    await client.answer();
    await client.say('DATA\r\n');
    const dribbled = dribble(client, 20);
    expect((await client.answer()).text).toMatch(/^421 4\.4\.2 The message arrives too slowly/);
    await dribbled;
    await expect.poll(() => doors.intake.stats()).toMatchObject({ connections: 0, bufferedBytes: 0 });
    expect(doors.store.kept).toEqual([]);
  });

  it('under TLS, at submission, too', async () => {
    doors = await openDoors({ submission: { pace: { dataMs: 400, dataBytesPerSecondMin: 100_000 } } });
    const client = await doors.loggedIn('alice');
    await client.say('MAIL FROM:<alice@penncloud.test>\r\n');
    await client.say('RCPT TO:<alice@penncloud.test>\r\n');
    await client.say('DATA\r\n');
    void dribble(client, 20);
    expect((await client.answer()).text).toMatch(/^421 4\.4\.2 /);
  });

  it('as the first bytes of TLS, is hung up on', async () => {
    doors = await openDoors({ submission: { pace: { handshakeMs: 400 } } });
    const socket = connectTcp(doors.submissionTls.port, '127.0.0.1');
    // A record of 16 KB begins, and never ends.
    socket.write(Buffer.from([0x16, 3, 1, 0x40, 0]));
    const writing = setInterval(() => socket.write(Buffer.from([1])), 20);
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(writing);
  });

  it('is no client whose message the store is slow to take', async () => {
    doors = await openDoors({ intake: { pace: { commandMs: 200, dataMs: 200 } } });
    const client = await doors.mx();
    let open = (): void => {};
    doors.store.gate = new Promise((resolve) => (open = resolve));
    const answer = client.send('a@b.example', ['alice@penncloud.test'], Buffer.from('Subject: x\r\n\r\n'));
    await expect.poll(() => doors.intake.stats().bufferedBytes).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 600));
    open();
    expect((await answer).code).toBe(250);
  });
});

describe('a client that keeps its place without sending a message', () => {
  it('is sent away after a thousand of NOOP, RSET, VRFY, EHLO, HELP or MAIL', async () => {
    doors = await openDoors();
    for (const command of ['NOOP', 'RSET', 'VRFY alice', 'EHLO again', 'HELP', 'MAIL FROM:<>']) {
      const client = await doors.mx();
      client.write(`${command}\r\n`.repeat(5_000));
      let last = await client.answer();
      for (let answers = 1; last.code !== 421; answers++) {
        expect(answers).toBeLessThanOrEqual(1_000);
        last = await client.answer();
      }
      expect(last.text).toMatch(/^421 4\.7\.0 Too many commands without a message, the limit is 1000/);
    }
    await isServed();
  });

  it('is sent away after ten lines of garbage, pipelined or not (RFC 5321 §7.8)', async () => {
    doors = await openDoors();
    const client = await doors.mx();
    client.write(Buffer.from([...Array(4096).keys()].map((n) => (n * 7919) & 0xff)));
    client.write('\r\nGARBAGE\r\n\x16\x03\x01\r\n'.repeat(1000));
    await expect(
      (async () => {
        for (;;) expect((await client.answer()).code).toBeGreaterThanOrEqual(421);
      })(),
    ).rejects.toThrow(/closed|ECONNRESET|EPIPE/);
    await isServed();
  });
});

describe('a line that never ends (RFC 5321 §4.5.3.1.4, §4.5.3.1.9)', () => {
  it.each(['', 'MAIL FROM:<', 'EHLO '])(
    'as a command that begins %j: 500, and no more is read',
    async (begun) => {
      doors = await openDoors();
      const client = await doors.mx();
      client.write(begun);
      for (let n = 0; n < 64; n++) client.write(Buffer.alloc(64 * 1024, 'a'));
      expect((await client.answer()).text).toBe('500 5.5.2 Line too long');
      await expect(client.answer()).rejects.toThrow();
      await isServed();
    },
  );

  it('in a log-in: 500 as well', async () => {
    doors = await openDoors();
    const client = doors.with(await SmtpClient.secure(doors.submissionTls.port));
    await client.answer();
    await client.say('EHLO x\r\n');
    await client.say('AUTH LOGIN\r\n');
    for (let n = 0; n < 64; n++) client.write(Buffer.alloc(64 * 1024, 'a'));
    expect((await client.answer()).text).toBe('500 5.5.2 Line too long');
  });

  it('in a message: 500 once it has ended, with no more than the message limit kept of it', async () => {
    doors = await openDoors();
    const client = await doors.mx();
    const answer = await client.send('a@b.example', ['alice@penncloud.test'], Buffer.alloc(150_000, 'a'));
    expect(answer.text).toMatch(/^500 5\.5\.2 Line 1 of the message is longer/);
    expect((await client.say('NOOP\r\n')).code).toBe(250);
  });
});

describe('a message without end (RFC 1870 §6)', () => {
  it('of 10 GiB by its own word is refused at MAIL, and one whose word is a lie at its end', async () => {
    doors = await openDoors();
    const client = await doors.mx();
    expect((await client.say('MAIL FROM:<a@b.example> SIZE=10737418240\r\n')).text).toMatch(/^552 5\.3\.4 /);
    expect((await client.say('MAIL FROM:<a@b.example> SIZE=1\r\n')).code).toBe(250);
    await client.say('RCPT TO:<alice@penncloud.test>\r\n');
    await client.say('DATA\r\n');
    for (let n = 0; n < 300; n++) client.write(`${'a'.repeat(998)}\r\n`);
    expect((await client.say('.\r\n')).text).toMatch(/^552 5\.3\.4 /);
    expect(doors.store.kept).toEqual([]);
  });

  it('is read without being kept, and ends with the connection', { timeout: 60_000 }, async () => {
    doors = await openDoors();
    const sockets = [1, 2, 3].map(() => connectTcp(doors.intake.port, '127.0.0.1'));
    const piece = Buffer.from(`${'a'.repeat(998)}\r\n`.repeat(1024));
    const before = process.memoryUsage();
    const peak = { held: 0 };
    const watching = setInterval(() => {
      const { heapUsed, external } = process.memoryUsage();
      peak.held = Math.max(peak.held, heapUsed + external - before.heapUsed - before.external);
    }, 5);
    const sent = await Promise.all(
      sockets.map(async (socket) => {
        let heard = '';
        let bytes = 0;
        socket.on('error', () => {});
        socket.on('data', (some) => (heard += some.toString()));
        await expect.poll(() => heard).toMatch(/^220 /);
        socket.write(`EHLO x\r\n${FROM_AND_TO}DATA\r\n`);
        await expect.poll(() => heard).toMatch(/^354 /m);
        while (!socket.destroyed && socket.writable && !heard.includes('552') && bytes < 1024 * MIB) {
          bytes += piece.length;
          if (!socket.write(piece))
            await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
          expect(doors.intake.stats().bufferedBytes).toBeLessThanOrEqual(3 * 200_000);
        }
        socket.destroy();
        return { bytes, heard };
      }),
    );
    clearInterval(watching);
    for (const { bytes, heard } of sent) {
      expect(heard).toMatch(/^552 5\.3\.4 /m);
      expect(bytes).toBeGreaterThan(60 * MIB);
      expect(bytes).toBeLessThan(80 * MIB);
    }
    // Of nearly 200 MiB.
    expect(peak.held).toBeLessThan(64 * MIB);
    await expect.poll(() => doors.intake.stats()).toMatchObject({ bufferedBytes: 0, connections: 0 });
    await isServed();
  });

  it('of a hundred thousand header lines is kept, byte for byte, with what of them fits a list', async () => {
    doors = await openDoors({ intake: { messageBytesMax: 8 * MIB } });
    const client = await doors.mx();
    const lines = Array.from({ length: 100_000 }, (_, n) => `X-Line-${n}: ${n}\r\n`).join('');
    const raw = Buffer.from(`Subject: many\r\n${lines}From: a@b.example\r\n\r\ntext\r\n`);
    const work = async (bytes: Buffer): Promise<number> => {
      const before = process.cpuUsage();
      expect((await client.send('a@b.example', ['alice@penncloud.test'], bytes)).code).toBe(250);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const plain = Buffer.from(`Subject: many\r\n\r\n${lines}`);
    await work(plain);
    // Each line is looked at a few times at most, never each for each.
    expect((await work(raw)) / (await work(plain))).toBeLessThan(20);
    const kept = doors.store.kept.find(({ raw: bytes }) => bytes.subarray(-raw.length).equals(raw));
    expect(kept?.summary).toMatchObject({ subject: 'many' });
    await isServed();
  });
});

describe('bytes that have no place there', () => {
  it('NUL and other controls in a command are refused, and the session goes on (RFC 5321 §4.1.2)', async () => {
    doors = await openDoors();
    const client = await doors.mx();
    for (const command of ['NOOP\0', '\0', 'MAIL FROM:<a\0@b.example>', 'EHLO a\0b', 'RSET\x7f', 'NOOP\r\r'])
      expect((await client.say(`${command}\r\n`)).text).toMatch(/^501 5\.5\.2 /);
    expect((await client.say('NOOP\r\n')).code).toBe(250);
  });

  it('NULs in a message are kept as they came', async () => {
    doors = await openDoors();
    const client = await doors.mx();
    const raw = Buffer.from('Sub\0ject: x\0y\r\nSubject: a\0b\r\n\r\n\0\0\r\n\0');
    expect((await client.send('a@b.example', ['alice@penncloud.test'], raw)).code).toBe(250);
    expect(doors.store.kept[0]!.raw.toString()).toContain(raw.toString());
  });

  it('letters beyond ASCII need SMTPUTF8, and must be UTF-8 then (RFC 6531 §3.3 to §3.7)', async () => {
    doors = await openDoors();
    const client = await doors.mx();
    const said = async (command: string): Promise<string> =>
      (await client.say(Buffer.from(`${command}\r\n`, 'latin1'))).text;
    const utf8 = Buffer.from('zoë').toString('latin1');
    expect(await said(`EHLO ${utf8}.example`)).toMatch(/^501 5\.5\.4 /);
    expect(await said(`MAIL FROM:<${utf8}@b.example>`)).toMatch(/^550 5\.6\.7 /);
    expect(await said(`MAIL FROM:<zo\xeb@b.example> SMTPUTF8`)).toMatch(/^501 5\.5\.2 /);
    expect(await said('MAIL FROM:<a@b.example>')).toMatch(/^250 /);
    expect(await said(`RCPT TO:<${utf8}@penncloud.test>`)).toMatch(/^553 5\.6\.7 /);
    expect(await said('RCPT TO:<alice@xn--bcher-kva.example>')).toMatch(/^550 5\.7\.1 /);
    expect(await said('RSET')).toMatch(/^250 /);
    expect(await said(`MAIL FROM:<${utf8}@b.example> SMTPUTF8`)).toMatch(/^250 /);
    expect(await said(`RCPT TO:<${utf8}@penncloud.test>`)).toMatch(/^550 5\.1\.1 /);
  });
});

describe('commands out of their order (RFC 5321 §4.1.4)', () => {
  it('are 503, and nothing is kept', async () => {
    doors = await openDoors();
    const client = await doors.mx();
    expect((await client.say('DATA\r\n')).text).toMatch(/^503 5\.5\.1 /);
    expect((await client.say('RCPT TO:<alice@penncloud.test>\r\n')).text).toMatch(/^503 /);
    expect((await client.say('MAIL FROM:<a@b.example>\r\n')).code).toBe(250);
    expect((await client.say('MAIL FROM:<a@b.example>\r\n')).text).toMatch(/^503 /);
    expect((await client.say('DATA\r\n')).text).toMatch(/^503 /);
    expect((await client.say('RCPT TO:<nobody@penncloud.test>\r\n')).code).toBe(550);
    // Pipelined with its text, which is no text then (RFC 2920 §3.1).
    expect((await client.say('DATA\r\nSubject: x\r\n.\r\n')).text).toMatch(/^503 /);
    expect((await client.answer()).code).toBe(500);
    expect(doors.store.kept).toEqual([]);
  });

  it('speech before the greeting ends the session (RFC 5321 §3.1, §4.3.1)', async () => {
    doors = await openDoors();
    const client = doors.with(SmtpClient.raw(doors.intake.port));
    client.write('EHLO early.example\r\n');
    expect((await client.answer()).text).toMatch(/^421 /);
  });
});

describe('wrong log-ins', () => {
  const tried = async (password: string): Promise<SmtpClient> => {
    const client = doors.with(await SmtpClient.secure(doors.submissionTls.port));
    await client.answer();
    await client.say('EHLO x\r\n');
    client.write(plainLogIn('alice', password));
    return client;
  };

  it('end the session with the third (RFC 4954 §6)', async () => {
    doors = await openDoors();
    const client = await tried('wrong');
    expect((await client.answer()).text).toMatch(/^535 5\.7\.8 /);
    expect((await client.say(plainLogIn('alice', 'wrong'))).text).toMatch(/^535 /);
    expect((await client.say(plainLogIn('alice', 'wrong'))).text).toMatch(/^421 4\.7\.0 /);
    await expect(client.answer()).rejects.toThrow();
    expect((await (await tried(PASSWORD)).answer()).code).toBe(235);
  });

  it('are none the better for being malformed (RFC 4616 §2)', async () => {
    doors = await openDoors();
    const nothing = Buffer.from('\0\0').toString('base64');
    for (const response of ['*', '====', '\xff\xff', 'AAAA', nothing, 'x'.repeat(3000)]) {
      const client = doors.with(await SmtpClient.secure(doors.submissionTls.port));
      await client.answer();
      await client.say('EHLO x\r\n');
      const { code } = await client.say(Buffer.from(`AUTH PLAIN ${response}\r\n`, 'latin1'));
      expect([500, 501, 535]).toContain(code);
      expect((await client.say('MAIL FROM:<alice@penncloud.test>\r\n')).code).toBe(530);
    }
  });
});

describe('the greeting', () => {
  it('is not waited for on this machine, whatever the setting says', async () => {
    doors = await openDoors({ intake: { greetingDelayMs: 600_000 } });
    await isServed();
  });
});
