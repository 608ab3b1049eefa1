import type { Clock } from '../daemon/clock.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
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
 * names them. One counts from the second look on: its Service may have gone a moment ago.
 */
export async function watchOrphans(options: OrphanWatchOptions, signal: AbortSignal): Promise<void> {
  const { list, services, clusterName, count, clock, logger } = options;
  let suspects: ReadonlySet<string> = new Set();
  let told = '';
  for (;;) {
    await clock.sleep(untilTick(clock, LOOK_MS, false), signal);
    try {
      const all = await list(signal);
      const found = orphansAmong(all, services(), clusterName).map(describe);
      const lasting = found.filter((one) => suspects.has(one)).toSorted();
      suspects = new Set(found);
      count(lasting.length);
      if (lasting.length > 0 && lasting.join() !== told) {
        const what = 'Load balancers without a Service of this cluster; nothing is done with them';
        logger.warn(what, { loadBalancers: lasting });
      }
      told = lasting.join();
    } catch (error) {
      signal.throwIfAborted();
      logger.warn('Load balancers without a Service are looked for again', { reason: describeError(error) });
    }
  }
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
