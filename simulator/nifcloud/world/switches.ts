import { UsageError } from '../../../daemon/flags.ts';

/**
 * Questions about the cloud that no source answers: the simulator can behave either way, so that a client can be tried with
 * both. The first value is the default.
 */
export const SWITCHES = {
  'disk-lock': {
    values: ['volume', 'server'],
    asks: 'does an operation on a disk keep only that disk from further ones, or all disks of its server?',
  },
  'disk-cap': { values: ['4000', '8000', '1000'], asks: 'the size of the largest disk, in GB (§11 no. 2)' },
  'new-disks': { values: ['zeroed', 'garbage'], asks: 'what is on a new disk?' },
  'updated-listener': {
    values: ['keep', 'reset'],
    asks: 'what becomes of a filter, targets and health check when UpdateLoadBalancer changes the listener?',
  },
  'emptied-filter': {
    values: ['everyone', 'nobody'],
    asks: 'who may connect when the last address of an allow list is removed? (§11 no. 19)',
  },
  'unknown-names': {
    values: ['refuse', 'skip'],
    asks: 'does one unknown name of several refuse a describe call, or is it left out? (§11 no. 13)',
  },
  'empty-names': {
    values: ['all', 'none'],
    asks: 'does a list of names that is sent empty describe everything, or nothing?',
  },
  'batched-rules': {
    values: ['all-or-none', 'partial'],
    asks: 'what happens to the other rules of an Authorize call when one is a duplicate? (§11 no. 27)',
  },
  'deleted-group': {
    values: ['empty', 'refuse'],
    asks: 'is a describe call for a deleted firewall group answered with an empty list, or refused? (§11 no. 28)',
  },
  'same-power-state': {
    values: ['accept', 'refuse'],
    asks: 'may a running server be started, and a stopped one be stopped? (§11 no. 17)',
  },
  'elastic-targets': {
    values: ['any-zone', 'same-zone'],
    asks: 'must the targets of an elastic load balancer be in its zone? (§11 no. 25)',
  },
  'error-status': { values: ['500', '400'], asks: 'the HTTP status of refusals (§11 no. 1)' },
  timestamp: { values: ['ignore', 'check'], asks: 'is a Timestamp more than 15 minutes off refused? (§1.2)' },
} as const satisfies Readonly<
  Record<string, { readonly values: readonly [string, ...string[]]; readonly asks: string }>
>;

type SwitchName = keyof typeof SWITCHES;
export type Switches = { readonly [Name in SwitchName]: (typeof SWITCHES)[Name]['values'][number] };

/**
 * The notation of `--switch`: `NAME=VALUE`, several separated by commas; what is not named has its default.
 * @throws UsageError saying what is allowed
 */
export function parseSwitches(text: string): Switches {
  const chosen: Record<string, string> = Object.fromEntries(
    Object.entries(SWITCHES).map(([name, { values }]) => [name, values[0]]),
  );
  for (const item of text.split(',').filter((part) => part !== '')) {
    const [name = '', value = ''] = item.split('=', 2);
    const known: readonly string[] | undefined = Object.hasOwn(SWITCHES, name)
      ? SWITCHES[name as SwitchName].values
      : undefined;
    if (known === undefined) {
      throw new UsageError(`NAME=VALUE with a NAME of ${Object.keys(SWITCHES).join(', ')}`);
    }
    if (!known.includes(value)) throw new UsageError(known.map((one) => `${name}=${one}`).join(' or '));
    chosen[name] = value;
  }
  return chosen as Switches;
}
