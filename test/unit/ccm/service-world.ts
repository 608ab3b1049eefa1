import { ANNOTATION_PREFIX } from '../../../ccm/cloud/annotations.ts';
import { ServiceController, type ServiceControllerOptions } from '../../../ccm/service.ts';
import type { Node, Service } from '../../../kube/types.ts';
import type { Server } from '../../../nifcloud/servers.ts';
import { FakeClock } from '../../fake-clock.ts';
import { ElasticCloud } from './elastic-cloud.ts';
import { KubeApi } from './kube-api.ts';
import { L4Cloud } from './l4-cloud.ts';
import { Events, Log } from './surroundings.ts';

const KEY = { namespace: 'default', name: 'web' };
/** The load balancer's name. */
export const LB = '0a1b2c3d4e5f607';
export const MINUTE_MS = 60_000;

export const SERVICE: Service = {
  metadata: { name: 'web', namespace: 'default', uid: '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9' },
  spec: { type: 'LoadBalancer', ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 }] },
};

export const server = (name: string): Server => ({
  name,
  uniqueId: `i-${name}`,
  zone: 'east-11',
  type: 'e-medium8',
  state: 'running',
  privateAddress: '10.0.0.1',
  publicAddress: '',
  firewallGroups: [],
  interfaces: [],
});

export const node = (name: string, fields: Partial<Node['metadata']> = {}): Node => ({
  metadata: { name, ...fields },
  spec: { providerID: `nifcloud:///east-11/i-${name}` },
});

export const annotated = (suffix: string, value: string, service: Service = SERVICE): Service => ({
  ...service,
  metadata: {
    ...service.metadata,
    annotations: { ...service.metadata.annotations, [ANNOTATION_PREFIX + suffix]: value },
  },
});

/** A cluster of two nodes, a cloud with their servers, and a controller that can be started anew on both. */
export class World {
  readonly api = new KubeApi();
  readonly cloud = new L4Cloud();
  readonly events = new Events();
  readonly log = new Log();
  readonly clock = new FakeClock();
  readonly elastic = new ElasticCloud(this.clock);
  readonly stop = new AbortController();
  servers: Server[] = [];
  serverLists = 0;
  /** What is set for the controllers that are started. */
  readonly flags: Pick<ServiceControllerOptions, 'dryRun' | 'loadBalancerClass' | 'metrics'>;
  controller: ServiceController;

  constructor(service: Service = SERVICE, flags: Partial<World['flags']> = {}) {
    this.flags = { dryRun: false, loadBalancerClass: '', ...flags };
    this.controller = this.start();
    for (const name of ['node01', 'node02']) {
      this.addServer(name);
      this.api.addNode(node(name));
    }
    this.api.addService(service);
  }

  addServer(name: string, firewallGroup = `fw${name}`): void {
    this.servers.push(server(name));
    this.cloud.servers.set(name, `i-${name}`);
    this.elastic.addServer(name, firewallGroup);
  }

  start(): ServiceController {
    this.api.services.detach();
    this.api.nodes.detach();
    this.controller = new ServiceController({
      services: this.api.services.informer,
      nodes: this.api.nodes.informer,
      kube: this.api,
      servers: {
        list: () => {
          this.serverLists += 1;
          return Promise.resolve(this.servers);
        },
      },
      loadBalancers: this.cloud,
      elasticLoadBalancers: this.elastic.loadBalancers,
      firewallGroups: this.elastic.firewallGroups,
      clusterName: 'kubernetes',
      ...this.flags,
      events: this.events,
      logger: this.log,
      clock: this.clock,
      resyncPeriodMs: 10 * MINUTE_MS,
    });
    return this.controller;
  }

  sync(): ReturnType<ServiceController['reconcile']> {
    return this.controller.reconcile(KEY, this.stop.signal);
  }

  async failingSync(): Promise<Error> {
    try {
      await this.sync();
    } catch (error) {
      return error as Error;
    }
    throw new Error('the sync did not fail');
  }

  /** Runs the queue as the program does, until the world is left alone. */
  run(): void {
    void this.controller.run(10, this.stop.signal);
  }

  get ingress(): unknown {
    return this.api.service()?.status?.loadBalancer?.ingress;
  }

  get vip(): string | undefined {
    return this.cloud.balancers.get(LB)?.vip;
  }

  targets(port = 80): string[] | undefined {
    const listener = this.cloud.balancers.get(LB)?.listeners.find((one) => one.loadBalancerPort === port);
    return listener?.targets.map((one) => one.serverName);
  }

  /** Calls that any of both APIs saw since the last look: writes only. */
  takeWrites(): string[] {
    return [...this.api.writes.splice(0), ...this.cloud.writes.splice(0), ...this.elastic.writes.splice(0)];
  }
}
