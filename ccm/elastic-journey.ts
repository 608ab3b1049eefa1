import type { ElasticLoadBalancer } from '../nifcloud/elastic-load-balancers.ts';
import type { Hosts } from './kind.ts';

/** What the cloud lists: all load balancers, and the one in question. */
export interface Look {
  readonly all: readonly ElasticLoadBalancer[];
  readonly seen: ElasticLoadBalancer | undefined;
}

export type Purpose = 'ensure' | 'remove';

/** What is remembered between the passes that bring an elastic load balancer to what is wanted. Lost at a restart, which only costs reads. */
export interface Journey {
  readonly purpose: Purpose;
  /** Of the load balancer that was seen last; absent = none was. */
  id?: string | undefined;
  /** The servers of these nodes. */
  hosts?: { readonly nodes: string; readonly hosts: Hosts };
  /** What was listed last, while no change of the load balancer was sent since: only the firewall is waited for. */
  look?: Look | undefined;
  /** The firewall rules that were seen to be in force, as text. */
  rules?: string;
  /** What was wrong with them. */
  problems: readonly string[];
  /** When a step was accepted, by its text. */
  readonly done: Map<string, number>;
  /** Refused steps, by their text. */
  readonly refused: Map<string, Error>;
  /** How often the answer to a step was lost, by its text. */
  readonly lost: Map<string, number>;
  /** Firewall groups that are waited for, and since when. */
  readonly unsettled: Map<string, number>;
  /** Those of them that are not waited for any more, and why. */
  readonly refusedGroups: Map<string, Error>;
  /** Servers that get no traffic because of that, by unique id. */
  shut: ReadonlySet<string>;
}

/** @param last the one before, if that failed: what was of no use is not tried for as long again */
export function newJourney(purpose: Purpose, last?: Journey): Journey {
  const { lost = new Map(), unsettled = new Map() } = last ?? {};
  const none = { problems: [], done: new Map(), refused: new Map(), refusedGroups: new Map(), shut: new Set<string>() };
  return { purpose, ...none, lost, unsettled };
}

/** Takes note of what is seen. Of a load balancer that is gone, or that is another one by now, nothing that was done counts any more. */
export function follow(journey: Journey, { seen }: Look): void {
  if (journey.id !== undefined && journey.id !== seen?.id) {
    journey.done.clear();
    journey.refused.clear();
    journey.lost.clear();
    journey.refusedGroups.clear();
    delete journey.rules;
  }
  journey.id = seen?.id;
}
