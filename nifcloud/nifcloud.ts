import type { CredentialSource } from './credentials.ts';
import { ElasticLoadBalancers } from './elastic-load-balancers.ts';
import { FirewallGroups } from './firewall-groups.ts';
import { L4LoadBalancers } from './l4-load-balancers.ts';
import { Limiter } from './limiter.ts';
import { Networks } from './networks.ts';
import { Regions } from './regions.ts';
import { RouteTables } from './route-tables.ts';
import { Servers } from './servers.ts';
import type { Clock, Logger, RequestMetrics } from './surroundings.ts';
import { Transport, type Reachability } from './transport.ts';
import { Volumes } from './volumes.ts';
import { Wire } from './wire.ts';

export interface NifcloudOptions {
  /** Such as `jp-east-1`. */
  readonly region: string;
  /** Asked at each request: keys may be rotated under a running process. */
  readonly credentials: CredentialSource;
  /** Replaces scheme, host and port of the API, for simulators: `http://127.0.0.1:8080`. The path is always `/api/`. */
  readonly endpoint?: string | undefined;
  readonly userAgent: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** For jitter, 0 ≤ x < 1. @default Math.random */
  readonly random?: () => number;
  readonly metrics?: RequestMetrics;
  /** Requests a second in the long run. @default 20 */
  readonly qps?: number;
  /** Requests at once. @default 40 */
  readonly burst?: number;
  /**
   * Longest time for one request, in ms. A load balancer is made before its call answers, and how long that takes is not documented.
   * @default 60000
   */
  readonly timeoutMs?: number;
  /** Time between two looks at what is waited for, in ms; for disks that to the first look. @default 3000 (as the Go driver polls) */
  readonly pollIntervalMs?: number;
  /** Where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked up. @default process.env */
  readonly proxyEnv?: NodeJS.ProcessEnv;
}

/**
 * The NIFCLOUD Computing API of one region.
 *
 * All calls share one rate limiter, one pool of connections and one set of shared reads: a process needs one object for each
 * account and region. Calls may be made concurrently in any number.
 */
export class Nifcloud {
  readonly region: string;
  readonly servers: Servers;
  readonly volumes: Volumes;
  readonly l4LoadBalancers: L4LoadBalancers;
  readonly elasticLoadBalancers: ElasticLoadBalancers;
  readonly firewallGroups: FirewallGroups;
  readonly routeTables: RouteTables;
  readonly networks: Networks;
  readonly regions: Regions;
  readonly #transport: Transport;

  /** @throws TypeError when region or endpoint make no URL */
  constructor(options: NifcloudOptions) {
    const {
      region,
      credentials,
      logger,
      clock,
      random = Math.random,
      qps = 20,
      burst = 40,
      pollIntervalMs = 3_000,
    } = options;
    this.region = region;
    const wire = new Wire({
      url: apiUrl(region, options.endpoint),
      userAgent: options.userAgent,
      timeoutMs: options.timeoutMs ?? 60_000,
      clock,
      proxyEnv: options.proxyEnv ?? process.env,
    });
    const limiter = new Limiter({ clock, qps, burst });
    this.#transport = new Transport({ wire, credentials, limiter, logger, clock, random, metrics: options.metrics });
    this.servers = new Servers(this.#transport, clock, logger, pollIntervalMs);
    this.volumes = new Volumes(this.#transport, clock, pollIntervalMs);
    this.l4LoadBalancers = new L4LoadBalancers(this.#transport, clock);
    this.elasticLoadBalancers = new ElasticLoadBalancers(this.#transport, clock, pollIntervalMs);
    this.firewallGroups = new FirewallGroups(this.#transport, clock, pollIntervalMs);
    this.routeTables = new RouteTables(this.#transport, clock);
    this.networks = new Networks(this.#transport, clock);
    this.regions = new Regions(this.#transport, clock);
  }

  /**
   * Whether the newest request reached the cloud and was accepted as ours, for readiness. Refusals such as NotFound, and throttling,
   * come from a cloud that is reachable; a refused key or signature does not count as reachable. Before the first request: ok.
   */
  reachability(): Reachability {
    return this.#transport.reachability;
  }
}

function apiUrl(region: string, endpoint: string | undefined): URL {
  if (endpoint === undefined || endpoint === '') {
    if (!/^[a-z0-9-]+$/.test(region))
      throw new TypeError(`region ${JSON.stringify(region)} is none, such as jp-east-1`);
    return new URL(`https://${region}.computing.api.nifcloud.com/api/`);
  }
  const url = URL.parse(endpoint);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError(`endpoint ${JSON.stringify(endpoint)} is no URL, such as https://host:port`);
  }
  return new URL(`${url.protocol}//${url.host}/api/`);
}
