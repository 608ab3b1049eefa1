import type { ClusterConnection } from './config.ts';
import { KubeClient, type KubeClientOptions } from './rest.ts';
import { ServiceAccountConnection } from './service-account.ts';

export interface ControllerClientsOptions extends KubeClientOptions {
  readonly connection: ClusterConnection;
  /** The namespace whose ServiceAccounts the clients act as; undefined: all act as whom the connection lets in. */
  readonly serviceAccounts: string | undefined;
  /** Ends what happens behind requests. */
  readonly signal: AbortSignal;
}

/** The clients of one controller. They act as the same account, each with a rate limit of its own. */
export interface ClientsOfController {
  /** What it works with. Its writes alone are asked for by `beforeWrite`. */
  readonly work: KubeClient;
  /** For its events, which never hold up its work. Those of a process that leads no more do no harm. */
  readonly events: KubeClient;
}

/**
 * Makes the clients of a program's controllers (docs/reference/ccm.md A1, "Kubernetes identities"). They have `/<name>` at the end of
 * their user agents, by which an audit log tells them apart.
 */
export class ControllerClients {
  readonly #options: Omit<ControllerClientsOptions, 'beforeWrite'>;
  readonly #beforeWrite: Pick<KubeClientOptions, 'beforeWrite'>;
  /** For what no controller does: informers, events of the program, delegated checks. It acts as whom the connection lets in. */
  readonly shared: KubeClient;

  constructor({ beforeWrite, ...options }: ControllerClientsOptions) {
    this.#options = options;
    this.#beforeWrite = beforeWrite === undefined ? {} : { beforeWrite };
    this.shared = new KubeClient(options.connection, options);
  }

  /** @param name of the ServiceAccount, and in the user agent: `node-controller`, `service-controller`, `route-controller`. */
  of(name: string): ClientsOfController {
    const { connection, serviceAccounts: namespace, signal, logger, clock, userAgent } = this.#options;
    const own =
      namespace === undefined
        ? connection
        : new ServiceAccountConnection({ connection, client: this.shared, namespace, name, logger, clock, signal });
    const options = { ...this.#options, userAgent: `${userAgent}/${name}` };
    return {
      work: new KubeClient(own, { ...options, ...this.#beforeWrite }),
      events: new KubeClient(own, options),
    };
  }
}
