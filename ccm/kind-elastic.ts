import type { Clock } from '../daemon/clock.ts';
import type { ElasticLoadBalancer } from '../nifcloud/elastic-load-balancers.ts';
import { isBusy, isUnknownOutcome, NifcloudError } from '../nifcloud/errors.ts';
import { applyElastic, type ElasticCalls } from './cloud/elastic-apply.ts';
import { readOwner } from './cloud/elastic-owner.ts';
import { planElastic, type ElasticStep, type WantedElastic } from './cloud/elastic-plan.ts';
import { wantedElastic } from './cloud/elastic-wanted.ts';
import type { FirewallCalls } from './cloud/firewall-apply.ts';
import { isRefusal, namesServer } from './cloud/l4-apply.ts';
import { ElasticFirewall, rulesDuring, rulesOfNone } from './elastic-firewall.ts';
import { follow, newJourney, type Journey, type Look, type Purpose } from './elastic-journey.ts';
import type { Found, Gate, Hosts, Kind, Order, PlannedStep, Progress } from './kind.ts';
import type { Listings } from './listings.ts';
import type { Recent } from './recent.ts';

export interface ElasticKindOptions {
  readonly elasticLoadBalancers: ElasticCalls;
  readonly firewallGroups: FirewallCalls;
  readonly clusterName: string;
  readonly clock: Clock;
  readonly listings: Recent<Listings>;
  /** How often passes look at what they wait for, in ms. */
  readonly tickMs: number;
}

/** For how long what the cloud accepted may not show, in ms, before that is a failure. Our choice. */
const SHOWS_WITHIN_MS = 120_000;

/** After how many lost answers a step counts as refused: whether it was done or not, the others may be sent. Our choice. */
const MAX_LOST_ANSWERS = 3;

/**
 * Elastic load balancers. Each change makes them `processing` for a while, in which they take no other: a pass looks, sends the one
 * call that can be sent now, and leaves the rest to the next tick. The firewall of the servers is part of it: rules come before the
 * targets that need them, and go with those (docs/reference/nifcloud-api.md §5.2, §5.3).
 */
export class ElasticKind implements Kind {
  readonly kind = 'elastic';
  readonly #options: ElasticKindOptions;
  readonly #firewall: ElasticFirewall;
  readonly #journeys = new Map<string, Journey>();

  constructor(options: ElasticKindOptions) {
    this.#options = options;
    this.#firewall = new ElasticFirewall(options);
  }

  async list(listings: Listings, signal: AbortSignal): Promise<readonly Found[]> {
    return (await listings.elastic(signal)).map(foundOf);
  }

  async find(name: string, listings: Listings, signal: AbortSignal): Promise<Found | undefined> {
    const seen = (await listings.elastic(signal)).find((one) => one.name === name);
    return seen && foundOf(seen);
  }

  async ensure(order: Order, gate: Gate, signal: AbortSignal): Promise<Progress> {
    return await this.#onJourney(order.name, 'ensure', (journey) => this.#ensure(order, journey, gate, signal));
  }

  async remove(order: Pick<Order, 'name' | 'listings'>, gate: Gate, signal: AbortSignal): Promise<Progress> {
    return await this.#onJourney(order.name, 'remove', (journey) => this.#remove(order, journey, gate, signal));
  }

  forget(name: string): void {
    this.#journeys.delete(name);
    this.#firewall.forget(name);
  }

  /** A journey ends when it is done, and when it failed: the next one reads everything anew, and knows what is of no use to send. */
  async #onJourney(name: string, purpose: Purpose, pass: (journey: Journey) => Promise<Progress>): Promise<Progress> {
    const present = this.#journeys.get(name);
    const journey = present?.purpose === purpose ? present : newJourney(purpose);
    this.#journeys.set(name, journey);
    let next: Journey | undefined;
    try {
      const progress = await pass(journey);
      if (progress.refusals.length > 0) next = newJourney(purpose, journey);
      else if (!progress.isDone) next = journey;
      return progress;
    } finally {
      if (next !== journey) this.forget(name);
      if (next !== undefined) this.#journeys.set(name, next);
    }
  }

  async #ensure(order: Order, journey: Journey, gate: Gate, signal: AbortSignal): Promise<Progress> {
    const { name, listings, request, owner } = order;
    const { all, seen } = await lookAt(order, journey, signal);
    if (!(await gate.mayTouch(seen && foundOf(seen))) || isBusyYet(seen)) return progressOf(seen);
    const hosts = await hostsOf(order, journey);
    const { wanted, skipped } = wantedElastic(request, { ...hosts, owner }, seen);
    const steps = planElastic(wanted, seen);
    if (seen === undefined) {
      gate.skipped(skipped);
      const facts = { all, hosts, listings };
      // A group without room for the rules refuses a creation, not the service of what is there.
      const rules = journey.done.size === 0 ? await this.#firewall.planAnew(name, wanted, facts, signal) : [];
      const announced = [...steps.slice(0, 1), ...rules, ...steps.slice(1)];
      return await this.#send(name, seen, steps, journey, gate, signal, announced);
    }
    const rules = rulesDuring(seen, wanted.listeners);
    const opened = await this.#firewall.bring(rules, { all, hosts, listings }, journey, gate, signal);
    gate.skipped([...skipped, ...opened.problems]);
    if (!opened.isDone) return waitForRules({ all, seen }, journey, opened.hasBegun);
    const served = journey.shut.size === 0 ? steps : planElastic(without(journey.shut, wanted), seen);
    const progress = await this.#send(name, seen, served, journey, gate, signal);
    const isOver = progress.isDone || progress.refusals.length > 0;
    return isOver ? withRefusals(progress, journey.refusedGroups) : progress;
  }

  async #remove(
    order: Pick<Order, 'name' | 'listings'>,
    journey: Journey,
    gate: Gate,
    signal: AbortSignal,
  ): Promise<Progress> {
    const { name, listings } = order;
    const { all, seen } = await lookAt(order, journey, signal);
    // While it goes, its listeners don't say any more whose it is.
    if (isBusyYet(seen)) return progressOf(seen);
    if (!(await gate.mayTouch(seen && foundOf(seen)))) return { ...progressOf(seen), isDone: true };
    const steps = planElastic(undefined, seen);
    const next = steps.find((step) => !journey.refused.has(JSON.stringify(step)));
    // A last listener is the record of whose the rules are, so they go before it; and after a crash in between by themselves.
    if (next === undefined || (next.kind === 'delete-listener' && next.rulesFirst)) {
      const hosts = { targets: undefined, servers: [] };
      const facts = { all, hosts, listings };
      const closed = await this.#firewall.bring(rulesOfNone(name, seen), facts, journey, gate, signal);
      if (!closed.isDone) return waitForRules({ all, seen }, journey, closed.hasBegun);
      if (journey.refusedGroups.size > 0) return withRefusals(progressOf(seen), journey.refusedGroups);
    }
    return await this.#send(name, seen, steps, journey, gate, signal);
  }

  /** Sends the first step that is not refused already, nor comes after one that was. @param announced all that is going to be done */
  async #send(
    name: string,
    seen: ElasticLoadBalancer | undefined,
    steps: readonly ElasticStep[],
    journey: Journey,
    gate: Gate,
    signal: AbortSignal,
    announced: readonly PlannedStep[] = steps,
  ): Promise<Progress> {
    const { clock, elasticLoadBalancers } = this.#options;
    const { done, refused, lost } = journey;
    if (steps.length > 0 && !(await gate.permit(seen && foundOf(seen), announced))) return progressOf(seen);
    const stopped = new Set<number>(); // ports of the load balancer
    const refusals: Error[] = [];
    for (const step of steps) {
      const port = portOf(step);
      if (port !== undefined && stopped.has(port)) continue;
      // What comes before it was refused just now, so that the rules did not have their turn yet.
      if (step.kind === 'delete-listener' && step.rulesFirst && journey.rules === undefined) return progressOf(seen);
      const text = JSON.stringify(step);
      const doneAtMs = done.get(text);
      if (doneAtMs !== undefined) {
        if (clock.monotonicMs() - doneAtMs < SHOWS_WITHIN_MS) return progressOf(seen);
        throw new Error(`load balancer ${name} does not show yet what the cloud did: ${step.kind}`);
      }
      let refusal = refused.get(text);
      if (refusal === undefined) {
        try {
          await applyElastic(elasticLoadBalancers, seen ?? { name }, step, signal);
          done.set(text, clock.monotonicMs());
          return { ...progressOf(seen), hasBegun: true };
        } catch (error) {
          if (!(error instanceof NifcloudError)) throw error;
          if (isUnknownOutcome(error)) {
            const times = (lost.get(text) ?? 0) + 1;
            lost.set(text, times);
            if (times < MAX_LOST_ANSWERS) return progressOf(seen);
          } else if (!isRefusal(error)) throw error;
          // A server that is busy, with a backup for instance, is no reason for the others to wait.
          if (isBusy(error) && !namesServer(error)) return progressOf(seen);
          refusal = error;
          refused.set(text, error);
        }
      }
      refusals.push(refusal);
      if (step.kind === 'create') break;
      if (port !== undefined && stopsPort(step, seen)) stopped.add(port);
      if (step.kind === 'modify-listener') stopped.add(step.change.loadBalancerPort ?? step.key.loadBalancerPort);
    }
    return { ...progressOf(seen), isDone: refusals.length === 0, refusals };
  }
}

async function lookAt(
  { name, listings }: Pick<Order, 'name' | 'listings'>,
  journey: Journey,
  signal: AbortSignal,
): Promise<Look> {
  const { look } = journey;
  journey.look = undefined;
  if (look !== undefined) return look;
  const all = await listings.elastic(signal);
  const present = { all, seen: all.find((one) => one.name === name) };
  follow(journey, present);
  return present;
}

function isBusyYet(seen: ElasticLoadBalancer | undefined): boolean {
  return seen !== undefined && seen.state !== 'available';
}

/** Read once a journey: who is behind it changes with the nodes only. */
async function hostsOf(order: Order, journey: Journey): Promise<Hosts> {
  if (journey.hosts?.nodes !== order.nodes) journey.hosts = { nodes: order.nodes, hosts: await order.hosts() };
  return journey.hosts.hosts;
}

function progressOf(seen: ElasticLoadBalancer | undefined): Progress {
  const vip = seen?.vip ?? '';
  const serves = vip !== '' && (seen?.listeners.some((one) => one.targets.length > 0) ?? false);
  return { vip, serves, hasBegun: false, isDone: false, refusals: [] };
}

function waitForRules(look: Look, journey: Journey, hasBegun: boolean): Progress {
  journey.look = look;
  return { ...progressOf(look.seen), hasBegun };
}

/** What is wanted as long as some servers, by unique id, would get no traffic: they are neither registered nor deregistered. */
function without(shut: ReadonlySet<string>, wanted: WantedElastic): WantedElastic {
  const listeners = wanted.listeners.map((one) => ({
    ...one,
    targets: one.targets?.map((target) => (shut.has(target.serverUniqueId) ? { ...target, listed: false } : target)),
  }));
  return { ...wanted, listeners };
}

function withRefusals(progress: Progress, groups: ReadonlyMap<string, Error>): Progress {
  const refusals = [...progress.refusals, ...groups.values()];
  return { ...progress, isDone: refusals.length === 0, refusals };
}

function foundOf(seen: ElasticLoadBalancer): Found {
  const owners = new Set(seen.listeners.flatMap((one) => readOwner(one.description) ?? []));
  return { kind: 'elastic', name: seen.name, vip: seen.vip, owners: [...owners] };
}

/** Whether the rest for a port must not be done once this step was refused. */
function stopsPort(step: ElasticStep, seen: ElasticLoadBalancer | undefined): boolean {
  // A server that stays, or does not come, is no reason to keep others out, nor the port.
  if (step.kind === 'register-targets' || step.kind === 'deregister-targets') return false;
  if (step.kind !== 'configure-health-check') return true;
  // What serves goes on being served as it is checked; a new port is not.
  const { protocol, loadBalancerPort } = step.key;
  const isOfKey = (one: ElasticLoadBalancer['listeners'][number]): boolean =>
    one.protocol === protocol && one.loadBalancerPort === loadBalancerPort;
  return !seen?.listeners.some((one) => isOfKey(one) && one.targets.length > 0);
}

/** The port of the load balancer that a step is about, if it is about one. */
function portOf(step: ElasticStep): number | undefined {
  if ('key' in step) return step.key.loadBalancerPort;
  return step.kind === 'register-port' ? step.listener.loadBalancerPort : undefined;
}
