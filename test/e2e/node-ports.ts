import { connect, createServer, type Server } from 'node:net';
import type { Informer } from '../../kube/informer.ts';
import type { Service } from '../../kube/types.ts';
import type { EndpointSlice } from './objects.ts';

export interface NodePortsOptions {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  /** Addresses of the nodes. */
  readonly addresses: readonly string[];
}

/**
 * In place of kube-proxy: forwards connections to node ports, at each node's address, to a pod that is ready, on any node. TCP alone,
 * without session affinity, traffic policies and health check ports.
 */
export class NodePorts {
  readonly #options: NodePortsOptions;
  readonly #listening = new Map<string, Server>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: NodePortsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#converge(), 200);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const server of this.#listening.values()) server.close();
  }

  #converge(): void {
    const wanted = new Set<string>();
    for (const { metadata, spec } of this.#options.services.list()) {
      for (const { nodePort, name } of spec?.ports ?? []) {
        if (nodePort === undefined || nodePort === 0) continue;
        for (const address of this.#options.addresses) {
          const place = `${address}:${nodePort}`;
          wanted.add(place);
          if (!this.#listening.has(place)) {
            this.#listening.set(place, this.#listen(address, nodePort, { ...metadata, port: name }));
          }
        }
      }
    }
    for (const [place, server] of this.#listening) {
      if (wanted.has(place)) continue;
      server.close();
      this.#listening.delete(place);
    }
  }

  #listen(address: string, nodePort: number, service: ServicePort): Server {
    const server = createServer((client) => {
      client.on('error', () => undefined);
      const endpoints = this.#endpoints(service);
      const chosen = endpoints[Math.floor(Math.random() * endpoints.length)];
      if (chosen === undefined) {
        client.destroy();
        return;
      }
      const backend = connect(chosen.port, chosen.address);
      backend.on('error', () => client.destroy());
      client.on('close', () => backend.destroy());
      client.pipe(backend).pipe(client);
    });
    server.on('error', () => undefined);
    return server.listen(nodePort, address);
  }

  #endpoints({ namespace, name, port }: ServicePort): readonly { readonly address: string; readonly port: number }[] {
    return this.#options.slices
      .list()
      .filter(
        ({ metadata }) => metadata.namespace === namespace && metadata.labels?.['kubernetes.io/service-name'] === name,
      )
      .flatMap(({ endpoints, ports }) =>
        (endpoints ?? [])
          .filter(({ conditions }) => conditions?.ready === true)
          .flatMap(({ addresses }) =>
            addresses.map((address) => ({
              address,
              port: ports?.find((one) => (one.name ?? '') === (port ?? ''))?.port ?? 0,
            })),
          ),
      );
  }
}

interface ServicePort {
  readonly namespace?: string;
  readonly name: string;
  readonly port: string | undefined;
}
