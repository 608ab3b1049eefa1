import type { Service } from '../kube/types.ts';
import type { Server } from '../nifcloud/servers.ts';
import type { LoadBalancerKind } from './cloud/annotations.ts';
import type { Request } from './cloud/load-balancer.ts';
import type { WantedTarget } from './cloud/l4-plan.ts';
import type { Listings } from './listings.ts';

/** What they are called in messages. */
export const KIND_TEXTS: Readonly<Record<LoadBalancerKind, string>> = {
  l4: 'L4 load balancer',
  elastic: 'elastic load balancer',
};

/** What there is under the name of a Service, and what it says about whose it is. */
export interface Found {
  readonly kind: LoadBalancerKind;
  readonly name: string;
  /** `''` = the cloud names none (yet). */
  readonly vip: string;
  /** What is written on its listeners about owners, each once, nothing for those without. L4 load balancers can't be written on. */
  readonly owners: readonly string[];
}

/** One thing that is to be done, as a plan has it: a kind, and what belongs to it. */
export interface PlannedStep {
  readonly kind: string;
}

/** What the controller has to say about what a pass finds and plans. */
export interface Gate {
  /**
   * Asked before anything is planned.
   * @returns whether it may be touched
   * @throws where that is a failure
   */
  mayTouch(found: Found | undefined): Promise<boolean>;
  /** Asked before anything is sent. @returns whether it may be */
  permit(found: Found | undefined, steps: readonly PlannedStep[]): Promise<boolean>;
  /** Told what can't be obeyed. */
  skipped(messages: readonly string[]): void;
}

/** What a load balancer is to be, for one pass. */
export interface Order {
  readonly service: Service;
  readonly name: string;
  /** What the pass is planned from at first; what comes of its changes it asks the cloud for. */
  readonly listings: Listings;
  readonly request: Request;
  /** What stands on listeners for the Service. */
  readonly owner: string;
  /** Changes whenever the nodes behind the load balancer do. */
  readonly nodes: string;
  /** Read when asked for: a pass that waits does not need them. */
  readonly hosts: () => Promise<Hosts>;
}

/** What is behind a load balancer. */
export interface Hosts {
  /** The servers of the nodes; `undefined` = nobody knows: targets stay as they are. */
  readonly targets: readonly WantedTarget[] | undefined;
  /** All of the region; none where nobody needed to ask. */
  readonly servers: readonly Server[];
}

/** How far a pass came. */
export interface Progress {
  /** The address; `''` = none, or none that is known. */
  readonly vip: string;
  /** Whether clients are served there, by one port at least. */
  readonly serves: boolean;
  /** Something was begun: it takes a while at least. */
  readonly hasBegun: boolean;
  /** Nothing is left to be done. Otherwise, without refusals, the cloud is at work: look again at the next tick. */
  readonly isDone: boolean;
  /** Calls that the cloud refused, with everything else done. */
  readonly refusals: readonly Error[];
}

/**
 * A kind of load balancer. A pass looks, plans and does what can be done now; it never waits for the cloud. Passes of one Service do
 * not overlap, those of several may.
 */
export interface Kind {
  readonly kind: LoadBalancerKind;
  /** All that the cloud lists, whoever they belong to. */
  list(listings: Listings, signal: AbortSignal): Promise<readonly Found[]>;
  /** What there is under this name. */
  find(name: string, listings: Listings, signal: AbortSignal): Promise<Found | undefined>;
  /** A pass towards what a Service asks for. */
  ensure(order: Order, gate: Gate, signal: AbortSignal): Promise<Progress>;
  /** A pass towards nothing being left: neither the load balancer nor what was made for it elsewhere. Done = it is so. */
  remove(order: Pick<Order, 'service' | 'name' | 'listings'>, gate: Gate, signal: AbortSignal): Promise<Progress>;
  /** Drops what is remembered of a load balancer between passes. */
  forget(name: string): void;
}
