/** Settings of mail from and to other systems; settings.ts reads them with the rest. */
import { z } from 'zod';
import { commaList } from './setting-lists.ts';

const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const resolver = z.string().regex(/^(\d+\.\d+\.\d+\.\d+(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?|[0-9a-f:]+)$/i);

export const MAIL_TABLE = {
  dnsResolvers: {
    variable: 'PENNCLOUD_DNS_RESOLVERS',
    fallback: '',
    schema: commaList.pipe(z.array(resolver).max(10)),
    takes:
      'IP addresses, with a port where it is not 53, with commas between them; none: those of the system',
    means: 'the name servers that mail asks',
  },
  smtpGreetingDelayMs: {
    variable: 'PENNCLOUD_SMTP_GREETING_DELAY_MS',
    fallback: 0,
    schema: count(0, 60_000),
    takes: 'a whole number from 0 to 60000',
    means:
      'how long mail servers wait for the greeting, beyond the tenth of a second that all do; who speaks before it is sent away',
  },
  smtpMessagesPerMinute: {
    variable: 'PENNCLOUD_SMTP_MESSAGES_PER_MINUTE',
    fallback: 600,
    schema: count(0, 1_000_000),
    takes: 'a whole number from 0 (no limit) to 1000000',
    means: 'how many messages one address may begin in a minute, here and at submission; loopback is exempt',
  },
  smtpRecipientsPerMinute: {
    variable: 'PENNCLOUD_SMTP_RECIPIENTS_PER_MINUTE',
    fallback: 1200,
    schema: count(0, 1_000_000),
    takes: 'a whole number from 0 (no limit) to 1000000',
    means: 'how many recipients one address may name in a minute',
  },
  remoteSmtpPort: {
    variable: 'PENNCLOUD_REMOTE_SMTP_PORT',
    fallback: 25,
    schema: count(1, 65_535),
    takes: 'a port',
    means: 'where mail servers elsewhere listen',
  },
  outboundPrivate: {
    variable: 'PENNCLOUD_OUTBOUND_PRIVATE',
    fallback: 'refuse',
    schema: z.enum(['refuse', 'allow']),
    takes: 'refuse or allow',
    means:
      'whether mail goes to servers whose addresses are loopback or private, as in a network of one’s own',
  },
  outboundCaFile: {
    variable: 'PENNCLOUD_OUTBOUND_CA_FILE',
    fallback: '',
    schema: z.string(),
    takes: 'a file (PEM), or nothing',
    means:
      'an authority that is believed besides the system’s, where a policy (MTA-STS) asks for a certificate',
  },
  stsPort: {
    variable: 'PENNCLOUD_STS_PORT',
    fallback: 443,
    schema: count(1, 65_535),
    takes: 'a port',
    means: 'where policy hosts (MTA-STS) answer',
  },
  outboundSessions: {
    variable: 'PENNCLOUD_OUTBOUND_SESSIONS',
    fallback: 100,
    schema: count(1, 1000),
    takes: 'a whole number from 1 to 1000',
    means: 'how many connections to mail servers elsewhere are at work at a time',
  },
  outboundSessionsPerDomain: {
    variable: 'PENNCLOUD_OUTBOUND_SESSIONS_PER_DOMAIN',
    fallback: 20,
    schema: count(1, 1000),
    takes: 'a whole number from 1 to 1000',
    means: 'how many of them go to one domain',
  },
  outboundPerSecond: {
    variable: 'PENNCLOUD_OUTBOUND_PER_SECOND',
    fallback: 0,
    schema: count(0, 10_000),
    takes: 'a whole number from 0 (no limit) to 10000',
    means: 'how many messages go to one domain in a second',
  },
  outboundAnswerSeconds: {
    variable: 'PENNCLOUD_OUTBOUND_ANSWER_SECONDS',
    fallback: 600,
    schema: count(10, 3600),
    takes: 'a whole number from 10 to 3600',
    means:
      'how long a mail server elsewhere has to say that it keeps a message; who is not waited for may have it twice',
  },
  retryFirstSeconds: {
    variable: 'PENNCLOUD_RETRY_FIRST_SECONDS',
    fallback: 60,
    schema: count(1, 86_400),
    takes: 'a whole number from 1 to 86400',
    means:
      'how long a message that could not be delivered waits for its second try; each wait is twice the last',
  },
  retryMostSeconds: {
    variable: 'PENNCLOUD_RETRY_MOST_SECONDS',
    fallback: 4 * 3600,
    schema: count(1, 86_400),
    takes: 'a whole number from 1 to 86400',
    means: 'the longest such wait',
  },
  giveUpHours: {
    variable: 'PENNCLOUD_GIVE_UP_HOURS',
    fallback: 5 * 24,
    schema: count(1, 30 * 24),
    takes: 'a whole number from 1 to 720',
    means: 'after how long a message is given up and its sender told',
  },
  delayNoticeHours: {
    variable: 'PENNCLOUD_DELAY_NOTICE_HOURS',
    fallback: 4,
    schema: count(1, 30 * 24),
    takes: 'a whole number from 1 to 720',
    means: 'after how long a sender hears that a message still waits',
  },
} as const;
