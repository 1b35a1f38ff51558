/**
 * The launcher of a local cluster: starts every process in order, keeps each running, and stops all in
 * reverse order. It holds no state that matters: a cluster whose launcher was killed is simply started
 * again.
 */
import { join } from 'node:path';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { Notices } from '../../storage-nodes/wire/notices.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { readOrCreateClusterFile } from '../processes/cluster-file.ts';
import { createLogger, type Logger } from '../processes/logger.ts';
import type { Settings } from '../processes/settings.ts';
import { addressesOf, planCluster, type ProcessPlan } from '../processes/topology.ts';
import { commandOf } from './commands.ts';
import { isDisabled, markDisabled, speakForDisabled } from './disabled.ts';
import { issueConsoleToken } from './console-link.ts';
import { lockFolder } from './folder-lock.ts';
import { portObstacle } from './free-ports.ts';
import { untilReady } from './readiness.ts';
import { removeRunningFile, writeRunningFile } from './running-file.ts';
import { Supervisor, type SupervisorEvents } from './supervisor.ts';

/** So many quick ends in a row before the cluster was ever ready: it cannot start. */
const QUICK_ENDS_MAX = 5;

/** A reason not to start, or not to go on starting, that the operator can mend. */
export class LaunchFailed extends Error {}

export class Launcher {
  readonly #settings: Settings;
  readonly #plans: readonly ProcessPlan[];
  readonly #say: (line: string) => void;
  readonly #abort = new AbortController();
  #supervisors: Supervisor[] = [];
  #logger: Logger | undefined;
  #notices: Notices | undefined;
  #speakNoMore: () => void = () => undefined;
  #ready = false;

  constructor(settings: Settings, say: (line: string) => void) {
    this.#settings = settings;
    this.#plans = planCluster(settings);
    this.#say = say;
  }

  /** Resolves with a console token once the cluster is ready. Throws LaunchFailed; then call `stop`. */
  async start(): Promise<{ consoleToken: string; plans: readonly ProcessPlan[] }> {
    const { dataFolder, logLevel } = this.#settings;
    const cluster = readOrCreateClusterFile(dataFolder);
    if (!(await lockFolder(dataFolder))) {
      throw new LaunchFailed(
        `A cluster runs in ${dataFolder} already: stop it first, or name another folder in PENNCLOUD_DATA.`,
      );
    }
    const obstacle = await portObstacle(this.#plans);
    if (obstacle !== undefined) throw new LaunchFailed(obstacle);

    this.#logger = createLogger({ kind: 'launcher', id: 'launcher' }, logLevel, this.#logFile('launcher'));
    this.#supervisors = this.#plans.map(
      (plan) =>
        new Supervisor(
          plan.id,
          commandOf(plan, this.#settings, cluster),
          this.#logFile(plan.id),
          this.#events(),
          { disabled: isDisabled(dataFolder, plan.id) },
        ),
    );
    for (const supervisor of this.#supervisors) supervisor.start();
    const nats = addressesOf('nats', this.#plans)[0]!;
    this.#notices = connectNotices({
      port: nats.port,
      ...cluster.nats,
      name: 'launcher',
      logger: this.#logger,
    });
    this.#speakNoMore = speakForDisabled(this.#notices, this.#plans, (id) => this.#supervisorOf(id));

    const store = createStoreClient({
      nodes: addressesOf('storage-node', this.#plans),
      secret: cluster.secret,
      clientId: 'launcher',
      logger: this.#logger,
    });
    try {
      return { consoleToken: await this.#becomeReady(store), plans: this.#plans };
    } finally {
      await store.close();
    }
  }

  async #becomeReady(store: StoreClient): Promise<string> {
    const { signal } = this.#abort;
    try {
      await untilReady({
        plans: this.#plans.filter(({ id }) => !this.#supervisorOf(id)?.disabled),
        store,
        signal,
        onWait: (awaited) => this.#say(`still waiting for ${awaited} …`),
      });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
    const token = await issueConsoleToken(store);
    this.#ready = true;
    this.#recordRunning();
    return token;
  }

  /** In reverse order of start; each gets its time before it is killed. */
  async stop(): Promise<void> {
    this.#abort.abort(new LaunchFailed('Stopped while starting.'));
    this.#speakNoMore();
    await this.#notices?.close();
    for (const together of this.#stopOrder())
      await Promise.all(together.map((supervisor) => supervisor.stop()));
    if (this.#supervisors.length > 0) removeRunningFile(this.#settings.dataFolder);
    this.#logger?.info('stopped');
  }

  /** The reverse of the start; gateways all at once, since each waits for its own clients. */
  #stopOrder(): Supervisor[][] {
    const isGateway = ({ id }: Supervisor): boolean =>
      this.#plans.some((plan) => plan.id === id && plan.kind === 'gateway');
    const order: Supervisor[][] = [];
    for (const supervisor of [...this.#supervisors].reverse()) {
      const before = order.at(-1);
      if (before !== undefined && isGateway(supervisor) && isGateway(before[0]!)) before.push(supervisor);
      else order.push([supervisor]);
    }
    return order;
  }

  /** At once. */
  kill(): void {
    for (const supervisor of this.#supervisors) supervisor.kill();
  }

  #events(): SupervisorEvents {
    return {
      started: (id, pid, restarted) => {
        this.#logger?.info({ process: id, pid }, restarted ? 'started again' : 'started');
        if (restarted) this.#say(`${id} is started again (pid ${pid}).`);
        this.#recordRunning();
      },
      failed: (id, reason) => {
        this.#logger?.error({ process: id, reason }, 'could not start');
        if (!this.#ready) this.#abort.abort(new LaunchFailed(reason));
      },
      ended: (id, how, restartInMs) => {
        this.#logger?.warn({ process: id, how, restartInMs }, 'ended; will be started again');
        this.#say(`${id} ended (${how}); starting it again in ${restartInMs / 1000} s.`);
        this.#recordRunning();
        this.#giveUpOnHopeless(id);
      },
      disabled: (id, disabled) => {
        markDisabled(this.#settings.dataFolder, id, disabled);
        this.#logger?.warn({ process: id }, disabled ? 'disabled' : 'enabled');
        this.#say(
          disabled
            ? `${id} is disabled: \`penncloud node restart ${id}\` starts it again.`
            : `${id} is enabled again.`,
        );
        this.#recordRunning();
      },
    };
  }

  #giveUpOnHopeless(id: string): void {
    const supervisor = this.#supervisorOf(id);
    if (this.#ready || !supervisor || supervisor.quickEnds < QUICK_ENDS_MAX) return;
    this.#abort.abort(new LaunchFailed(`${id} cannot start; its log says why: ${this.#logFile(id)}`));
  }

  #supervisorOf(id: string): Supervisor | undefined {
    return this.#supervisors.find((supervisor) => supervisor.id === id);
  }

  #logFile(id: string): string {
    return join(this.#settings.dataFolder, 'logs', `${id}.log`);
  }

  #recordRunning(): void {
    const { dataFolder, portOffset, host, gateways, configStore, etcdEndpoints } = this.#settings;
    const { frontDoor, tlsCertFile } = this.#settings;
    const pidOf = (id: string): number | null => this.#supervisorOf(id)?.pid ?? null;
    const processes = this.#plans.map(({ id, kind, host, port }) => ({
      id,
      kind,
      pid: pidOf(id),
      host,
      port,
    }));
    writeRunningFile(dataFolder, {
      pid: process.pid,
      portOffset,
      host,
      gateways,
      configStore,
      etcdEndpoints,
      frontDoor,
      tlsCertFile,
      ready: this.#ready,
      processes,
    });
  }
}
