import type { Clock } from '../daemon/clock.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
import { keyOf, type Result } from '../kube/reconcile.ts';
import type { Service } from '../kube/types.ts';
import { isBusy } from '../nifcloud/errors.ts';
import type { LoadBalancerKind } from './cloud/annotations.ts';
import type { Found, Kind } from './kind.ts';
import type { ServiceMetrics } from './metrics.ts';
import type { ServiceReport } from './service-report.ts';
import type { ServiceStatus } from './service-status.ts';

/** When to look again at what the cloud is still processing, in ms: a backup of a server takes minutes. Our choice. */
const BUSY_RETRY_MS = 15_000;

/** Parts of a tick at which first looks take place. Our choice. */
const TICK_STEPS = 3;

/** What is known of a Service between two looks at it. Lost at a restart, which only repeats events and reads. */
export interface Memory {
  readonly report: ServiceReport;
  /** The node set that was looked at last; absent while anything is left to be done. */
  nodes?: string;
  /** The kind beside which none of the other kind is that has to go. */
  settledKind?: LoadBalancerKind;
  /** While cleaning up: no L4 load balancer is there, or none any more. */
  isWithoutL4?: boolean;
  /** Nothing is left of it, and the Service may go. */
  isLetGo?: boolean;
  /** While one kind takes the place of the other. */
  replacement?: Replacement;
}

/** What a pass leaves to the next one while it waits for the cloud: that need not look at what is not waited for. */
export interface Replacement {
  readonly other: Found;
  /** The address of the new one, which is complete: only the other one has to go; `undefined` = it is not complete yet. */
  readonly vip: string | undefined;
  /** All this holds for the Service and the nodes as they were then. */
  readonly version: string | undefined;
  readonly nodes: string;
}

/** What ensuring and cleaning up need of their surroundings. */
export interface ServiceWork {
  readonly kinds: Readonly<Record<LoadBalancerKind, Kind>>;
  readonly status: ServiceStatus;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics?: ServiceMetrics | undefined;
  /** How often each load balancer is compared with what is wanted although nothing changed, in ms; 0 = never. */
  readonly resyncPeriodMs: number;
  /** How often the cloud is asked for what is waited for, in ms. */
  readonly tickMs: number;
  /** What stands on listeners for a Service. */
  readonly ownerOf: (service: Service) => string;
  /** Why nothing may be changed for a Service; `undefined` = all may. */
  readonly heldBy: (service: Service) => string | undefined;
}

/**
 * When everything is as it should be: with the next periodic comparison. It comes for all at the same moment, so that those whom the
 * workers take together share what they read; counted from the start of the process, it is another moment in each cluster.
 */
export function nextLook({ clock, resyncPeriodMs }: Pick<ServiceWork, 'clock' | 'resyncPeriodMs'>): Result {
  if (resyncPeriodMs === 0) return {};
  return { requeueAfterMs: untilTick(clock, resyncPeriodMs, false) };
}

/**
 * How long until the next tick, which is the same for all: those who wait look at the same time, and share what they read. After
 * something was begun nobody looks for as long as from tick to tick.
 */
export function untilTick(clock: Pick<Clock, 'monotonicMs'>, tickMs: number, hasBegun: boolean): number {
  const nowMs = clock.monotonicMs();
  if (!hasBegun) return tickMs - (nowMs % tickMs);
  const stepMs = tickMs / TICK_STEPS;
  return Math.ceil((nowMs + tickMs) / stepMs) * stepMs - nowMs;
}

/** After calls that the cloud refused: soon if it is only busy; else that is the failure. */
export function retryOf(refusals: readonly Error[], logger: Logger, service: Service): Result {
  if (!refusals.every(isBusy)) throw failureOf(refusals);
  logger.debug(2, 'The cloud is busy with parts of a load balancer', { service: keyOf(service) });
  return { requeueAfterMs: BUSY_RETRY_MS };
}

/** Several refusals as one failure. */
export function failureOf(refusals: readonly Error[]): Error {
  return new AggregateError(refusals, refusals.map((refusal) => describeError(refusal)).join('; '));
}
