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

/**
 * Makes the clients of a program's controllers (docs/reference/ccm.md A1, "Kubernetes identities"). Each has its own rate limit, and
 * `/<name>` at the end of its user agent, by which an audit log tells them apart.
 */
export class ControllerClients {
  readonly #options: ControllerClientsOptions;
  /** For what no controller does: informers, events of the program, delegated checks. It acts as whom the connection lets in. */
  readonly shared: KubeClient;

  constructor(options: ControllerClientsOptions) {
    this.#options = options;
    this.shared = new KubeClient(options.connection, options);
  }

  /** @param name of the ServiceAccount, and in the user agent: `node-controller`, `service-controller`, `route-controller`. */
  of(name: string): KubeClient {
    const { connection, serviceAccounts: namespace, signal, logger, clock, userAgent } = this.#options;
    const own =
      namespace === undefined
        ? connection
        : new ServiceAccountConnection({ connection, client: this.shared, namespace, name, logger, clock, signal });
    return new KubeClient(own, { ...this.#options, userAgent: `${userAgent}/${name}` });
  }
}
