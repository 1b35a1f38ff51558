/**
 * The process that takes mail in: from other servers, and from our own users' mail clients. It keeps nothing; the store
 * does.
 */
import { Authentication } from '../../gateways/smtp/inbound/authentication.ts';
import { createSmtpIntake } from '../../gateways/smtp/inbound/intake.ts';
import { Credentials } from '../../gateways/smtp/submission/credentials.ts';
import { createSubmission } from '../../gateways/smtp/submission/submission.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import { certificateFiles, whenRenewed } from './certificate.ts';
import { mailCertificate } from './mail-certificate.ts';
import { runProcess } from './process.ts';
import { submissionPorts } from './topology.ts';

/** Shorter than the launcher's patience. */
const DRAIN_MS = 8000;

runProcess('smtp-in', async ({ plan, settings, cluster, nodes, folder, logger }) => {
  const { id, host, port } = plan;
  const store = createStoreClient({ nodes, secret: cluster.secret, clientId: id, logger });
  const { domains, messageBytesMax, dnsResolvers, smtpGreetingDelayMs: greetingDelayMs } = settings;
  const hostname = domains[0]!;
  const tls = await mailCertificate(settings, folder, Date.now());
  const clientLimits = {
    messagesPerMinuteMax: settings.smtpMessagesPerMinute,
    recipientsPerMinuteMax: settings.smtpRecipientsPerMinute,
  };
  const shared = {
    ...{ store, domains, messageBytesMax, logger, hostname, tls, clientLimits },
    drainMs: DRAIN_MS,
  };
  const intake = createSmtpIntake({
    ...shared,
    greetingDelayMs,
    authentication: new Authentication({ resolvers: dnsResolvers, hostname }),
  });
  const ports = submissionPorts(settings);
  const credentials = new Credentials(store, domains);
  const submission = createSubmission({ ...shared, credentials, isImplicitTls: false });
  const submissionTls = createSubmission({ ...shared, credentials, isImplicitTls: true });
  const doors = [intake, submission, submissionTls];
  const renewal = whenRenewed(certificateFiles(settings), logger, (certificate) => {
    for (const door of doors) door.useCertificate(certificate);
  });
  await intake.listen(port, host);
  await submission.listen(ports.startTls, host);
  await submissionTls.listen(ports.implicitTls, host);
  return {
    load: () => intake.stats().connections + submission.connections + submissionTls.connections,
    stop: async () => {
      renewal.close();
      await Promise.all(doors.map((door) => door.close()));
      await store.close();
    },
  };
});
