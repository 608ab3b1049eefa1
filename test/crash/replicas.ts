import { Replica } from '../integration/replica.ts';
import type { World } from '../integration/world.ts';
import { Gate, type Call, type Watchman } from './gate.ts';

/** A change that a replica asked for. */
export interface Change {
  readonly replica: WatchedReplica;
  readonly text: string;
  readonly atMs: number;
}

/** As short as a lease can be on a busy machine. */
export const LEASE_MS = 3_000;
export const RETRY_MS = 500;
const ELECTION = [
  `--leader-elect-lease-duration=${LEASE_MS}ms`,
  '--leader-elect-renew-deadline=2s',
  `--leader-elect-retry-period=${RETRY_MS}ms`,
];

/** A process whose calls all go through gates of its own, so that it is known who changed what. */
export class WatchedReplica {
  readonly name: string;
  readonly #process: Replica;
  readonly #gates: readonly Gate[];

  private constructor(name: string, process: Replica, gates: readonly Gate[]) {
    this.name = name;
    this.#process = process;
    this.#gates = gates;
  }

  /** @param onChange told of each change of cloud, Services and Nodes before it is made; answers what to do when it is */
  static async start(
    name: string,
    world: World,
    onChange: (change: Change) => ((replica: WatchedReplica) => void) | undefined,
  ): Promise<WatchedReplica> {
    const after = new Map<Call, (replica: WatchedReplica) => void>();
    const watchman: Watchman = {
      leaves: (call) => {
        if (!isChange(call)) return true;
        const then = onChange({ replica: replica(), text: call.text, atMs: performance.now() });
        if (then !== undefined) after.set(call, then);
        return true;
      },
      returns: (call) => {
        after.get(call)?.(replica());
        return true;
      },
      moved: () => {},
    };
    const { origin } = new URL(world.cloud.url);
    const [cloud, api] = await Promise.all([
      Gate.open('cloud', origin, watchman),
      Gate.open('kubernetes', world.api.url, watchman),
    ]);
    const environment = world.environment({ NIFCLOUD_ENDPOINT: cloud.url });
    const process = await Replica.start([`--master=${api.url}`, ...ELECTION], environment);
    const started = new WatchedReplica(name, process, [cloud, api]);
    const replica = (): WatchedReplica => started;
    return started;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  get leads(): boolean {
    return this.#process.heldAs !== undefined;
  }

  /** For those who look for what went wrong. */
  get log(): string {
    return this.#process.log;
  }

  async untilWaiting(): Promise<void> {
    await this.#process.until('/healthz', 200);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.signal(signal);
  }

  /** @returns its exit code; `null` where the signal ended it */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const code = await this.#process.end(signal);
    for (const gate of this.#gates) gate.close();
    return code;
  }

  async ended(): Promise<number | null> {
    return await this.#process.ended();
  }
}

/** Whether a call changes what replicas may only change while they lead: not its lease, nor a question. */
function isChange({ api, text, mutating }: Call): boolean {
  return mutating && (api === 'cloud' || /\/(services|nodes)\//.test(text));
}
