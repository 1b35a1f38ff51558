/** What a node takes of a client in one command. */
import { describe, expect, it } from 'vitest';
import { PAGES_MAX } from '../../../domain/mail/changes/bulk.ts';
import { decodeCommand, encodeCommand } from '../../../storage-nodes/client/codec.ts';

describe('a command', () => {
  it('may have as many parts as the largest bulk has pages, and what they teach', () => {
    const parts = Array.from({ length: PAGES_MAX + 1 }, () => Buffer.from('page'));
    const command = {
      id: 'all of a folder',
      expiresAt: 0,
      stream: 'alice',
      type: 'mail.StartBulk',
      data: {},
      parts,
      actor: 'alice',
      session: '',
      action: 'Archive all',
    };
    expect(decodeCommand(encodeCommand(command), parts).parts).toHaveLength(PAGES_MAX + 1);
  });
});
