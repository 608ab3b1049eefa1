import type { Clock } from '../daemon/clock.ts';
import type { Logger } from '../daemon/logger.ts';
import { watchOrphans as watchAny } from '../daemon/orphans.ts';
import type { Service } from '../kube/types.ts';
import { isOfCluster } from './cloud/elastic-owner.ts';
import { isGivenName, loadBalancerName } from './cloud/load-balancer.ts';
import { KIND_TEXTS, type Found } from './kind.ts';
import { CLEANUP_FINALIZER } from './service-change.ts';
import { untilTick } from './service-work.ts';

/** How often it is looked, in ms: with the periodic comparison, whose listings it shares, unless the flag says another period. Our choice. */
const LOOK_MS = 10 * 60_000;

export interface OrphanWatchOptions {
  /** All load balancers that the cloud lists. */
  readonly list: (signal: AbortSignal) => Promise<readonly Found[]>;
  /** All Services of the cluster, as they are now. */
  readonly services: () => readonly Service[];
  readonly clusterName: string;
  /** Told after every look. */
  readonly count: (orphans: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Load balancers that no Service of this cluster is to have: they cost money and nobody will delete them. Nor does this program; it
 * names them.
 */
export function watchOrphans(options: OrphanWatchOptions, signal: AbortSignal): Promise<never> {
  const { list, services, clusterName, count, clock, logger } = options;
  const look = async (until: AbortSignal): Promise<ReadonlyMap<string, string>> => {
    const names = orphansAmong(await list(until), services(), clusterName).map(describe);
    return new Map(names.map((name) => [name, name]));
  };
  const pauseMs = (): number => untilTick(clock, LOOK_MS, false);
  const said = { what: 'Load balancers without a Service', key: 'loadBalancers' };
  return watchAny({ look, pauseMs, count, ...said, clock, logger }, signal);
}

/**
 * The load balancers that bear this cluster's mark and no Service's name. Where nothing is written on them, as on every L4 one and on
 * those of the Go program, their name is the only mark, and those of other clusters in the account bear it too. Pure.
 */
export function orphansAmong(
  found: readonly Found[],
  services: readonly Service[],
  clusterName: string,
): readonly Found[] {
  const expected = new Set(services.filter(isServed).map(loadBalancerName));
  const isMarked = ({ name, owners }: Found): boolean =>
    owners.length === 0 ? isGivenName(name) : owners.some((one) => isOfCluster(one, clusterName));
  return found.filter((one) => isMarked(one) && !expected.has(one.name));
}

/** Whether its load balancers are seen to, be it that they go. */
function isServed({ metadata, spec }: Service): boolean {
  return spec?.type === 'LoadBalancer' || (metadata.finalizers?.includes(CLEANUP_FINALIZER) ?? false);
}

function describe({ kind, name, vip, owners }: Found): string {
  return [`${KIND_TEXTS[kind]} ${name} (${vip || 'without address'})`, ...owners].join(' of ');
}
