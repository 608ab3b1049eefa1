import { describeError, type Logger } from '../daemon/logger.ts';
import type { EventRecorder } from '../kube/events.ts';
import { keyOf } from '../kube/reconcile.ts';
import type { Service } from '../kube/types.ts';
import type { FirewallRule } from '../nifcloud/firewall-groups.ts';
import { KIND_TEXTS, type Found, type PlannedStep } from './kind.ts';

/** Names in an event. Source: cloud-provider v0.36, `maxNodeNamesToLog`. */
const MAX_NAMES = 20;

/** Characters of a plan in an event: the API server takes 1024 as its message. */
const MAX_PLAN_LENGTH = 900;

/** What a look at a Service is due to: the Service itself, or the nodes of the cluster. */
export type Cause = 'service' | 'nodes';

export interface Warning {
  readonly reason: string;
  readonly message: string;
}

/**
 * What the users of one Service are told, with the framework's reasons and texts where it has them (`docs/reference/ccm.md` A5).
 * What goes on for many passes is said once; so is what stays wrong, until it was right in between.
 */
export class ServiceReport {
  readonly #events: Pick<EventRecorder, 'event'>;
  /** Warnings that stand in events, by what they are about. */
  readonly #said = new Map<string, ReadonlySet<string>>();
  #announced: Cause | undefined;
  #isDeleting = false;
  readonly #logger: Pick<Logger, 'info'>;
  #planned = '';

  constructor(events: Pick<EventRecorder, 'event'>, logger: Pick<Logger, 'info'>) {
    this.#events = events;
    this.#logger = logger;
  }

  /** What the work that is going on is due to; `undefined` = none is. */
  get announced(): Cause | undefined {
    return this.#announced;
  }

  /** Something is about to be changed. */
  ensuring(service: Service, cause: Cause): void {
    if (this.#announced === undefined && cause === 'service') {
      this.#normal(service, 'EnsuringLoadBalancer', 'Ensuring load balancer');
    }
    this.#announced ??= cause;
  }

  /** Everything is as it should be; news if something was changed, or if it is so for the first time. */
  ensured(service: Service, cause: Cause, isNews: boolean): void {
    if (this.#announced !== undefined || isNews) {
      if ((this.#announced ?? cause) === 'service') {
        this.#normal(service, 'EnsuredLoadBalancer', 'Ensured load balancer');
      } else this.#normal(service, 'UpdatedLoadBalancer', 'Updated load balancer with new hosts');
    }
    this.#announced = undefined;
    this.#planned = '';
  }

  /** One of the kind that the Service does not ask for any more goes. */
  deletingOther(service: Service, { kind, name, vip }: Found): void {
    const message = `Deleting the ${KIND_TEXTS[kind]} ${name} (${vip}): the other kind serves now`;
    if (!this.#isDeleting) this.#normal(service, 'DeletingLoadBalancer', message);
    this.#isDeleting = true;
  }

  deleting(service: Service): void {
    if (!this.#isDeleting) this.#normal(service, 'DeletingLoadBalancer', 'Deleting load balancer');
    this.#isDeleting = true;
  }

  deleted(service: Service): void {
    this.#normal(service, 'DeletedLoadBalancer', 'Deleted load balancer');
    this.#isDeleting = false;
  }

  deletedOther(): void {
    this.#isDeleting = false;
  }

  failed(service: Service, cause: Cause, error: unknown, nodeNames: readonly string[]): void {
    const text = describeError(error);
    if ((this.#announced ?? cause) === 'service') {
      this.#warning(service, 'SyncLoadBalancerFailed', `Error syncing load balancer: ${text}`);
      return;
    }
    const message =
      `Error updating load balancer with new hosts ${someOf(nodeNames)} ` +
      `[node names limited, total number of nodes: ${nodeNames.length}], error: ${text}`;
    this.#warning(service, 'UpdateLoadBalancerFailed', message);
  }

  /** That of a Service which is gone. */
  failedToDelete(service: Service, error: unknown): void {
    this.#warning(service, 'DeleteLoadBalancerFailed', `Error deleting load balancer: ${describeError(error)}`);
  }

  /** What was not done because nothing shall be. @param why the flag or annotation */
  planned(service: Service, lines: readonly string[], why: string): void {
    const plan = lines.join('; ');
    if (plan !== this.#planned && plan !== '') {
      const shown = plan.length > MAX_PLAN_LENGTH ? `${plan.slice(0, MAX_PLAN_LENGTH)} …` : plan;
      this.#logger.info('Planned, not done', { service: keyOf(service), why, steps: lines });
      this.#normal(service, 'PlannedChange', `Not done because of ${why}: ${shown}`);
    }
    this.#planned = plan;
  }

  /** @param topic what these warnings are about: they take the place of the earlier ones about it */
  warn(service: Service, topic: string, warnings: readonly Warning[]): void {
    const said = this.#said.get(topic);
    for (const { reason, message } of warnings) {
      if (!(said?.has(message) ?? false)) this.#warning(service, reason, message);
    }
    this.#said.set(topic, new Set(warnings.map((warning) => warning.message)));
  }

  #normal(service: Service, reason: string, message: string): void {
    this.#events.event(service, 'Normal', reason, message);
  }

  #warning(service: Service, reason: string, message: string): void {
    this.#events.event(service, 'Warning', reason, message);
  }
}

/** An event has no room for more. */
function ruleText({ direction, protocol, fromPort, cidr = '' }: FirewallRule): string {
  const port = fromPort === undefined ? '' : ` ${fromPort}`;
  return `${protocol}${port} ${direction === 'in' ? 'from' : 'to'} ${cidr}`;
}

/** As Go prints a list: `[a b c]`. */
export function someOf(names: readonly string[]): string {
  const rest = names.length - MAX_NAMES;
  return `[${[...names.slice(0, MAX_NAMES), ...(rest > 0 ? [`<${rest} more>`] : [])].join(' ')}]`;
}

/** A plan for people: `create listener={…}`, one text for each step, without those that only end a plan. */
export function describeSteps(steps: readonly PlannedStep[]): readonly string[] {
  const calls = steps.filter((step) => step.kind !== 'observe-again');
  return calls.map(({ kind, ...rest }) => {
    const values = Object.entries(rest).filter(([, value]) => value !== undefined);
    return [kind, ...values.map(([name, value]) => `${name}=${valueText(name, value)}`)].join(' ');
  });
}

function valueText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (name === 'rules') return `[${(value as readonly FirewallRule[]).map(ruleText).join(', ')}]`;
  return JSON.stringify(value).replaceAll('"', '');
}
