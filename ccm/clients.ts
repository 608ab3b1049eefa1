import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../daemon/clock.ts';
import { usable, type Environment } from '../daemon/environment.ts';
import type { Logger } from '../daemon/logger.ts';
import { ControllerClients, type ClientsOfController } from '../kube/clients.ts';
import { loadConnection, type ClusterConnection } from '../kube/config.ts';
import { electionRequestTimeoutMs } from '../kube/leader-election.ts';
import { KubeClient, type KubeClientOptions } from '../kube/rest.ts';
import type { KubeRequestMetrics } from '../kube/surroundings.ts';
import type { CcmFlags, ControllerName } from './options.ts';

/** Where the service accounts of controllers are. Source: `docs/reference/ccm.md` A1, "Kubernetes identities". */
const ACCOUNT_NAMESPACE = 'kube-system';

/** What each controller is called as a client (`docs/reference/ccm.md` A2). */
const CLIENT_NAMES: Readonly<Record<ControllerName, string>> = {
  node: 'node-controller',
  'node-lifecycle': 'node-controller',
  service: 'service-controller',
  route: 'route-controller',
};

export interface ClientsOptions {
  readonly flags: CcmFlags;
  readonly environment: Environment;
  readonly userAgent: string;
  readonly metrics: KubeRequestMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Asked before each write of a controller: see `KubeClientOptions`. */
  readonly beforeWrite?: () => void;
  readonly signal: AbortSignal;
}

/** The clients of the Kubernetes API, each with a rate limit of its own, so that none holds up another. */
export class Clients {
  /** Where the API server is. */
  readonly server: string;
  /** For what all controllers share: lists and watches. */
  readonly shared: KubeClient;
  /** For the lease alone: a request that hangs leaves time for another before the renew deadline. */
  readonly lease: KubeClient;
  readonly #hasAccounts: boolean;
  readonly #controllers: ControllerClients;
  readonly #made = new Map<string, ClientsOfController>();

  /** @throws UsageError */
  static async connect(options: ClientsOptions): Promise<Clients> {
    const { flags, environment } = options;
    const { kubeconfig, master } = flags;
    const connection = await usable('Kubernetes API', () => loadConnection({ kubeconfig, master, env: environment }));
    return new Clients(options, connection);
  }

  private constructor({ flags, signal, beforeWrite, ...rest }: ClientsOptions, connection: ClusterConnection) {
    const common: KubeClientOptions = { ...rest, qps: flags['kube-api-qps'], burst: flags['kube-api-burst'] };
    this.#hasAccounts = flags['use-service-account-credentials'];
    this.#controllers = new ControllerClients({
      ...common,
      connection,
      serviceAccounts: this.#hasAccounts ? ACCOUNT_NAMESPACE : undefined,
      ...(beforeWrite && { beforeWrite }),
      signal,
    });
    this.server = String(connection.server);
    this.shared = this.#controllers.shared;
    this.lease = new KubeClient(connection, {
      ...common,
      userAgent: `${common.userAgent}/leader-election`,
      requestTimeoutMs: electionRequestTimeoutMs(flags['leader-elect-renew-deadline']),
    });
  }

  /** A client that acts as the controller does; `shared` where that is this pod's account. */
  accountOf(controller: ControllerName): KubeClient {
    return this.#hasAccounts ? this.ofController(controller).events : this.shared;
  }

  /** The service accounts that these controllers act as; none where they act as this pod. */
  serviceAccounts(controllers: Iterable<ControllerName>): readonly string[] {
    return this.#hasAccounts ? [...new Set([...controllers].map((name) => CLIENT_NAMES[name]))] : [];
  }

  /** What a controller writes with: as a service account of its own, with `--use-service-account-credentials`, else as this pod. */
  ofController(controller: ControllerName): ClientsOfController {
    const name = CLIENT_NAMES[controller];
    const clients = this.#made.get(name) ?? this.#controllers.of(name);
    this.#made.set(name, clients);
    return clients;
  }
}

/** Different for each process, and telling which machine it runs on (`docs/reference/ccm.md` A9). */
export function leaderIdentity(): string {
  return `${hostname()}_${randomUUID()}`;
}
