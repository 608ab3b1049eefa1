import { isBusy, isDuplicate, isNotFound, isUnknownOutcome } from '../../nifcloud/errors.ts';
import { isSameRule, type FirewallGroups, type FirewallRule } from '../../nifcloud/firewall-groups.ts';
import type { FirewallStep } from './firewall-plan.ts';

/** The calls of the cloud that are needed here. */
export type FirewallCalls = Pick<FirewallGroups, 'list' | 'authorize' | 'revoke'>;

/**
 * What became of a step.
 *
 * - `begun`: the group is `processing` now; plan again from what is seen later, there may be more to do.
 * - `busy`: another change of the group is under way, or the answer was lost; plan again from what is seen later.
 * - `settled`: nothing is left to be done. The group is gone, or the cloud says that it has every rule (or has none of those to be
 *   revoked), even if the listing shows something else.
 */
export type FirewallOutcome = 'begun' | 'busy' | 'settled';

/** Changes firewall groups, one call at a time for each; whoever finds a group taken does not wait for it. */
export class FirewallChanges {
  readonly #calls: FirewallCalls;
  /** Names of the groups for which a call is under way. */
  readonly #changing = new Set<string>();

  constructor(calls: FirewallCalls) {
    this.#calls = calls;
  }

  /**
   * Sends a step's rules in one call. What the cloud makes of the others if one of them is there (or gone) already is not known
   * (docs/reference/nifcloud-api.md §11 27): then the group is looked at, and what is left goes singly, one a step.
   *
   * @throws what is neither about one rule nor about the moment: throttling, refused credentials, too many rules …
   */
  async apply(step: FirewallStep, signal: AbortSignal): Promise<FirewallOutcome> {
    if (this.#changing.has(step.group)) return 'busy';
    this.#changing.add(step.group);
    try {
      return (await this.#send(step, step.rules, signal)) ?? (await this.#sendSingly(step, signal));
    } finally {
      this.#changing.delete(step.group);
    }
  }

  async #sendSingly(step: FirewallStep, signal: AbortSignal): Promise<FirewallOutcome> {
    const group = (await this.#calls.list(signal)).find((one) => one.name === step.group);
    if (group === undefined) return 'settled';
    if (group.status !== 'applied') return 'busy';
    for (const rule of step.rules) {
      const isThere = group.rules.some((one) => isSameRule(one, rule));
      if (isThere === (step.kind === 'authorize')) continue;
      const outcome = await this.#send(step, [rule], signal);
      if (outcome !== undefined) return outcome;
    }
    return 'settled';
  }

  /** @returns `undefined` when one of the rules is as it shall be already */
  async #send(
    { kind, group }: FirewallStep,
    rules: readonly FirewallRule[],
    signal: AbortSignal,
  ): Promise<FirewallOutcome | undefined> {
    try {
      await this.#calls[kind](group, rules, signal);
      return 'begun';
    } catch (error) {
      if (kind === 'authorize' ? isDuplicate(error) : isNotFound(error, 'SecurityGroupIngress')) return undefined;
      if (isNotFound(error, 'SecurityGroup')) return 'settled';
      if (isBusy(error) || isUnknownOutcome(error)) return 'busy';
      throw error;
    }
  }
}
