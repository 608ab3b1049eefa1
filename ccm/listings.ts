import type { ElasticLoadBalancer } from '../nifcloud/elastic-load-balancers.ts';
import type { FirewallGroup } from '../nifcloud/firewall-groups.ts';
import type { L4LoadBalancer } from '../nifcloud/l4-load-balancers.ts';
import type { Server } from '../nifcloud/servers.ts';
import { targetsOf, type Targets } from './cloud/nodes.ts';
import type { NodeSet } from './node-set.ts';
import { once, type Moment, type Read } from './recent.ts';

/** The calls that list what Services have to do with. */
export interface ListingCalls {
  readonly loadBalancers: { readonly list: Read<readonly L4LoadBalancer[]> };
  readonly elasticLoadBalancers: { readonly list: Read<readonly ElasticLoadBalancer[]> };
  readonly firewallGroups: { readonly list: Read<readonly FirewallGroup[]> };
  readonly servers: { readonly list: Read<readonly Server[]> };
}

/**
 * What passes for many Services are planned from: the nodes of one moment, and what the cloud lists after it, each kind once, when a
 * pass first asks for it. What comes of a pass's own changes does not stand here.
 */
export class Listings {
  /** Nothing here is older. */
  readonly begun: Moment;
  /** As it was then: the servers that are listed are not older than their nodes. */
  readonly nodes: NodeSet;
  readonly l4: Read<readonly L4LoadBalancer[]>;
  readonly elastic: Read<readonly ElasticLoadBalancer[]>;
  readonly firewallGroups: Read<readonly FirewallGroup[]>;
  /** The servers, and which of them the nodes stand for. */
  readonly hosts: Read<Targets & { readonly servers: readonly Server[] }>;

  constructor(begun: Moment, nodes: NodeSet, calls: ListingCalls) {
    this.begun = begun;
    this.nodes = nodes;
    this.l4 = once((signal) => calls.loadBalancers.list(signal));
    this.elastic = once((signal) => calls.elasticLoadBalancers.list(signal));
    this.firewallGroups = once((signal) => calls.firewallGroups.list(signal));
    this.hosts = once(async (signal) => {
      const servers = await calls.servers.list(signal);
      return { servers, ...targetsOf(nodes.nodes, servers) };
    });
  }
}
