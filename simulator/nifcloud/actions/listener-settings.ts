import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { Refusal } from '../api/refusal.ts';
import { BALANCING } from '../world/listeners.ts';
import type { BalancingType, HealthCheck, Listener, SorryPage, Stickiness } from '../world/listeners.ts';
import type { World } from '../world/world.ts';

/** What the cloud takes when a request names none is unknown; this is what its clients send. */
export const DEFAULT_ACCOUNTING_TYPE = '2';
export const ACCOUNTING_TYPES = ['1', '2'] as const;

export const DEFAULT_NETWORK_VOLUME = '10';

/** Ports of a load balancer of either kind (docs/reference/nifcloud-api.md §4.1, §5.1). */
export const MAX_LISTENERS = 3;

/**
 * What a listener is checked by until it is told: interval and failures are documented for the elastic kind; the target, and all
 * three of the L4 kind, are what the cloud's clients default to (nifcloud-api.md §5.1, §11 no. 22).
 */
export const DEFAULT_HEALTH_CHECK: HealthCheck = {
  target: 'ICMP',
  intervalSeconds: 5,
  unhealthyThreshold: 1,
  path: '',
  httpCodes: [],
};

/** Options that are off. */
const NO_STICKINESS: Stickiness = { enabled: false, method: 1, periodMinutes: 0 };
export const NO_SORRY_PAGE: SorryPage = { enabled: false, statusCode: 0, redirectUrl: '' };

/** Open to everyone. */
export const OPEN_FILTER: Listener['filter'] = { type: 'allow', addresses: [], emptied: false };

/** A listener as it is made: without targets or options, with the default check and an open filter. */
export function newListener(
  own: Pick<Listener, 'protocol' | 'loadBalancerPort' | 'instancePort' | 'balancingType'>,
): Listener {
  return {
    ...own,
    description: '',
    healthCheck: DEFAULT_HEALTH_CHECK,
    filter: OPEN_FILTER,
    stickiness: NO_STICKINESS,
    sessionsClearedAtMs: 0,
    sorryPage: NO_SORRY_PAGE,
    sslCertificateId: '',
    sslPolicyId: '',
    targets: [],
  };
}

/** The prefix of the one listener that a call is allowed. @throws Refusal when there are several */
export function onlyListener(parameters: Parameters): string {
  const indexes = parameters.indexes('Listeners.member');
  if (indexes.length > 1) throw illegal('Listeners', 'only one listener is allowed in a call');
  return `Listeners.member.${indexes[0] ?? 1}`;
}

/** @throws Refusal when it is neither 1 to 15 letters and digits nor absent */
export function readName(parameters: Parameters, parameter: string): string | undefined {
  const name = parameters.text(parameter);
  if (name === undefined || /^[0-9A-Za-z]{1,15}$/.test(name)) return name;
  throw illegal(parameter, `${name} is not 1 to 15 letters and digits`);
}

function readWithin(parameters: Parameters, name: string, min: number, max: number): number | undefined {
  const value = parameters.integer(name);
  if (value !== undefined && (value < min || value > max)) throw illegal(name, `${value} is not from ${min} to ${max}`);
  return value;
}

export function readPort(parameters: Parameters, name: string): number | undefined {
  return readWithin(parameters, name, 1, 65_535);
}

export function readBalancing(parameters: Parameters, name: string): BalancingType | undefined {
  const type = parameters.choice(name, ['1', '2']);
  if (type === undefined) return undefined;
  return type === '1' ? BALANCING.roundRobin : BALANCING.leastConnection;
}

/**
 * Target, interval and failures of a check (nifcloud-api.md §4.1, §5.1); what is absent has its default.
 * @param protocols that a target may name before its port; `ICMP` is always allowed
 */
export function readHealthCheck(parameters: Parameters, prefix: string, protocols: readonly string[]): HealthCheck {
  const target = parameters.text(`${prefix}.Target`) ?? DEFAULT_HEALTH_CHECK.target;
  const [, protocol = '', port = ''] = /^([A-Z]+):(\d{1,5})$/.exec(target) ?? [];
  const checksPort = protocols.includes(protocol) && Number(port) >= 1 && Number(port) <= 65_535;
  if (target !== 'ICMP' && !checksPort) {
    throw illegal(`${prefix}.Target`, `${target} is neither ICMP nor ${protocols.join(', ')}: with a port`);
  }
  const { intervalSeconds, unhealthyThreshold } = DEFAULT_HEALTH_CHECK;
  return {
    ...DEFAULT_HEALTH_CHECK,
    target,
    intervalSeconds: readWithin(parameters, `${prefix}.Interval`, 5, 300) ?? intervalSeconds,
    unhealthyThreshold: readWithin(parameters, `${prefix}.UnhealthyThreshold`, 1, 10) ?? unhealthyThreshold,
  };
}

/** What the actions that configure a check insist on. */
export function requireHealthCheck(parameters: Parameters): void {
  for (const name of ['Target', 'Interval', 'UnhealthyThreshold']) parameters.requiredText(`HealthCheck.${name}`);
}

/**
 * `Enable`, `ExpirationPeriod` and, where it can be chosen, `Method`; what is absent stays as it is. Switching it off forgets
 * period and method, so switching it on needs a period (invented).
 */
export function readStickiness(
  parameters: Parameters,
  prefix: string,
  held: Stickiness,
  { maxMinutes, hasMethods }: { readonly maxMinutes: number; readonly hasMethods: boolean },
): Stickiness {
  const enabled = parameters.boolean(`${prefix}.Enable`) ?? held.enabled;
  const periodMinutes = readWithin(parameters, `${prefix}.ExpirationPeriod`, 3, maxMinutes) ?? held.periodMinutes;
  const method = hasMethods ? parameters.choice(`${prefix}.Method`, ['1', '2']) : undefined;
  if (!enabled) return NO_STICKINESS;
  if (periodMinutes === 0) parameters.requiredText(`${prefix}.ExpirationPeriod`);
  return { enabled, periodMinutes, method: method === undefined ? held.method : method === '2' ? 2 : 1 };
}

/** @throws Refusal when the account has no such certificate */
export function requireCertificate(world: World, id: string): string {
  if (world.certificates.has(id)) return id;
  throw new Refusal('Client.InvalidParameterNotFound.SslCertificate', `there is no certificate ${id}`);
}

/** @throws Refusal when the region has no such zone */
export function requireZone(world: World, zone: string): string {
  if (world.zones.includes(zone)) return zone;
  throw new Refusal('Client.InvalidParameterNotFound.AvailabilityZone', `there is no zone ${zone}`);
}
