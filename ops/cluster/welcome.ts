/** What the launcher prints once the cluster is ready: a table of addresses, then the line to wait for. */
import { join } from 'node:path';
import type { Settings } from '../processes/settings.ts';
import { httpUrl, reachable, submissionPorts, type ProcessPlan } from '../processes/topology.ts';

export function welcome(plans: readonly ProcessPlan[], settings: Settings, consoleToken: string): string {
  const of = (kind: ProcessPlan['kind']): ProcessPlan[] => plans.filter((plan) => plan.kind === kind);
  const web = (plan: ProcessPlan): string => httpUrl({ ...plan, host: reachable(plan.host) });
  const place = (plan: ProcessPlan): string => `${plan.host}:${plan.port}`;
  const frontDoor = web(of('front-door')[0]!);
  const rows: [string, string][] = [
    ['front door', frontDoor],
    ['gateways', of('gateway').map(web).join('  ')],
    ['mail in (SMTP)', of('smtp-in').map(place).join('  ')],
    ['mail clients', submissionPlaces(settings)],
    ['mail domains', [...settings.domains, 'localhost'].join('  ')],
    ['storage nodes', of('storage-node').map(place).join('  ')],
    ['master', of('master').map(place).join('  ')],
    ...(of('etcd').length > 0 ? [['etcd', of('etcd').map(place).join('  ')] as [string, string]] : []),
    ['NATS', of('nats').map(place).join('  ')],
    ['data', settings.dataFolder],
    ['logs', join(settings.dataFolder, 'logs')],
    ['admin console', `${frontDoor}/admin/enter?token=${consoleToken}`],
    ['', '(opens once, within the hour)'],
  ];
  const table = rows.map(([what, where]) => `  ${what.padEnd(16)}${where}`).join('\n');
  return `\n${table}\n\nPennCloud is ready at ${frontDoor}`;
}

function submissionPlaces(settings: Settings): string {
  const { startTls, implicitTls } = submissionPorts(settings);
  return `${settings.host}:${startTls} (STARTTLS)  ${settings.host}:${implicitTls} (TLS)`;
}
