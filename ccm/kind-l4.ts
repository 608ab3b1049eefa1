import type { L4LoadBalancer } from '../nifcloud/l4-load-balancers.ts';
import { settle, type L4Calls, type Settled } from './cloud/l4-apply.ts';
import { planL4, type RefusedAttributes, type Step } from './cloud/l4-plan.ts';
import { wantedL4 } from './cloud/load-balancer.ts';
import type { Found, Gate, Kind, Order, Progress } from './kind.ts';
import type { Listings } from './listings.ts';

/** L4 load balancers: their calls take effect before they answer, so that one pass is enough. */
export class L4Kind implements Kind {
  readonly kind = 'l4';
  readonly #calls: L4Calls;

  constructor(calls: L4Calls) {
    this.#calls = calls;
  }

  async list(listings: Listings, signal: AbortSignal): Promise<readonly Found[]> {
    return (await listings.l4(signal)).map(foundOf);
  }

  async find(name: string, listings: Listings, signal: AbortSignal): Promise<Found | undefined> {
    const seen = (await listings.l4(signal)).find((one) => one.name === name);
    return seen && foundOf(seen);
  }

  async ensure(order: Order, gate: Gate, signal: AbortSignal): Promise<Progress> {
    const { request } = order;
    const { targets } = await order.hosts();
    const plan = (seen: L4LoadBalancer | undefined, refused: RefusedAttributes): readonly Step[] => {
      const { wanted, skipped } = wantedL4(request, targets, seen);
      gate.skipped(skipped);
      return planL4(wanted, seen, refused);
    };
    const { seen, vip, refusals } = await this.#settle(order, plan, gate, signal);
    if (seen !== undefined && vip === '') throw new Error('the cloud names no address of the load balancer');
    return { vip, serves: vip !== '', hasBegun: false, isDone: refusals.length === 0, refusals };
  }

  async remove(order: Pick<Order, 'name' | 'listings'>, gate: Gate, signal: AbortSignal): Promise<Progress> {
    const { refusals } = await this.#settle(order, (seen) => planL4(undefined, seen), gate, signal);
    return { vip: '', serves: false, hasBegun: false, isDone: refusals.length === 0, refusals };
  }

  forget(): void {
    // Nothing is remembered.
  }

  #settle(
    { name, listings }: Pick<Order, 'name' | 'listings'>,
    plan: (seen: L4LoadBalancer | undefined, refused: RefusedAttributes) => readonly Step[],
    gate: Gate,
    signal: AbortSignal,
  ): Promise<Settled> {
    const decide = async (seen: L4LoadBalancer | undefined, refused: RefusedAttributes): Promise<readonly Step[]> => {
      const found = seen && foundOf(seen);
      if (!(await gate.mayTouch(found))) return [];
      const steps = plan(seen, refused);
      return steps.length === 0 || (await gate.permit(found, steps)) ? steps : [];
    };
    return settle(this.#calls, name, decide, signal, listings.l4);
  }
}

function foundOf({ name, vip }: L4LoadBalancer): Found {
  return { kind: 'l4', name, vip, owners: [] };
}
