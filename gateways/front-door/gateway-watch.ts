/**
 * Who can be sent to, from two sources: heartbeats over NATS, and a health check of each gateway every
 * second. Gateways are those configured, and those heard of.
 */
import type { Notices } from '../../storage-nodes/client/notices.ts';
import { Liveness } from '../liveness/liveness.ts';
import { liveGateways, type Candidate, type Check, type Gateway, type Health } from './choice.ts';
import { checkHealth, type Scheme } from './health-check.ts';

const CHECK_EVERY_MS = 1_000;
/** One that has said nothing for so long has its connections cut: whoever waits on them is better off elsewhere. */
const FROZEN_MS = 3_000;

export class GatewayWatch {
  readonly #notices: Notices;
  readonly #configured: readonly Gateway[];
  readonly #scheme: Scheme;
  readonly #liveness: Liveness;
  readonly #told = new Map<string, { health: Health; at: number }>();
  readonly #silentSince = new Map<string, number>();
  readonly #checking = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: { notices: Notices; configured: readonly Gateway[]; scheme: Scheme }) {
    this.#notices = options.notices;
    this.#configured = options.configured;
    this.#scheme = options.scheme;
    this.#liveness = new Liveness(options.notices);
    this.#timer = setInterval(() => this.#checkAll(), CHECK_EVERY_MS);
    this.#checkAll();
  }

  candidates(): Candidate[] {
    const now = performance.now();
    const checks = new Map<string, Check>();
    for (const [id, { health, at }] of this.#told) checks.set(id, { health, ageMs: now - at });
    return liveGateways(this.#configured, this.#liveness.signs(), this.#notices.connected(), checks);
  }

  /** It left its last health check unanswered. */
  isSilent(id: string): boolean {
    return this.#silentSince.has(id);
  }

  isFrozen(id: string): boolean {
    const since = this.#silentSince.get(id);
    return since !== undefined && performance.now() - since >= FROZEN_MS;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#liveness.close();
  }

  #checkAll(): void {
    const known = new Map(this.#configured.map((gateway) => [gateway.id, gateway.address]));
    for (const { heartbeat } of this.#liveness.signs()) {
      if (heartbeat.kind === 'gateway') known.set(heartbeat.id, heartbeat.address);
    }
    for (const [id, address] of known) void this.#check(id, address);
  }

  async #check(id: string, address: string): Promise<void> {
    if (this.#checking.has(id)) return;
    this.#checking.add(id);
    const asked = performance.now();
    const health = await checkHealth(address, this.#scheme, CHECK_EVERY_MS);
    this.#checking.delete(id);
    this.#told.set(id, { health, at: performance.now() });
    if (health !== 'silent') this.#silentSince.delete(id);
    else if (!this.#silentSince.has(id)) this.#silentSince.set(id, asked);
  }
}
