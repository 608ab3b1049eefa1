import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { BALANCING, PROTOCOLS } from '../world/listeners.ts';
import type {
  ElasticLoadBalancer,
  HealthCheck,
  Listener,
  Protocol,
  SorryPage,
  Stickiness,
} from '../world/listeners.ts';
import type { Server } from '../world/servers.ts';
import type { World } from '../world/world.ts';
import {
  MAX_LISTENERS,
  newListener,
  NO_SORRY_PAGE,
  onlyListener,
  readBalancing,
  readHealthCheck,
  readPort,
  readStickiness,
  requireCertificate,
} from './listener-settings.ts';

/** Characters of any width, of a listener (docs/reference/nifcloud-api.md §5.1). */
const MAX_DESCRIPTION = 500;
/** Of the path of a check (nifcloud-api.md §5.1). */
const MAX_PATH = 255;
const HTTP_CODES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/** The longest time of sticking to a server: a day (nifcloud-api.md §5.1). */
const MAX_STICKY_MINUTES = 1440;

/** What creating a load balancer and adding a port to one have in common: the one listener of the call. @throws Refusal */
export function readListener(
  world: World,
  parameters: Parameters,
): { readonly prefix: string; readonly listener: Listener } {
  const prefix = onlyListener(parameters);
  const protocol =
    parameters.choice(`${prefix}.Protocol`, PROTOCOLS) ?? (parameters.requiredText(`${prefix}.Protocol`) as Protocol);
  const port = readPort(parameters, `${prefix}.ElasticLoadBalancerPort`);
  const loadBalancerPort = port ?? parameters.requiredInteger(`${prefix}.ElasticLoadBalancerPort`);
  const listener = newListener({
    protocol,
    loadBalancerPort,
    // Only creation may leave it out; what it then is, no source says.
    instancePort: readPort(parameters, `${prefix}.InstancePort`) ?? loadBalancerPort,
    balancingType: readBalancing(parameters, `${prefix}.BalancingType`) ?? BALANCING.roundRobin,
  });
  listener.description = readDescription(parameters, `${prefix}.Description`);
  listener.sslCertificateId = readCertificate(world, parameters, `${prefix}.SSLCertificateId`, protocol, '');
  return { prefix, listener };
}

/** @throws Refusal when another listener has the port, or there are three already */
export function requireRoom({ listeners, name }: ElasticLoadBalancer, { protocol, loadBalancerPort }: Listener): void {
  requireFreePort(listeners, protocol, loadBalancerPort);
  if (listeners.length >= MAX_LISTENERS) {
    throw new Refusal(
      'Client.Inoperable.ElasticLoadBalancerPort.LimitExceeded',
      `elastic load balancer ${name} has ${MAX_LISTENERS} listeners already`,
    );
  }
}

/** UDP can share a port number with one of the others; that those three exclude each other is invented. @throws Refusal */
export function requireFreePort(others: readonly Listener[], protocol: Protocol, loadBalancerPort: number): void {
  const taken = others.find(
    (one) => one.loadBalancerPort === loadBalancerPort && (one.protocol === 'UDP') === (protocol === 'UDP'),
  );
  if (taken === undefined) return;
  throw new Refusal(
    'Client.InvalidParameterDuplicate.Protocol.and.ElasticLoadBalancerPort',
    `there is a listener ${taken.protocol} ${loadBalancerPort} already`,
  );
}

export function readDescription(parameters: Parameters, name: string): string {
  const text = parameters.text(name) ?? '';
  if (Array.from(text).length > MAX_DESCRIPTION) throw illegal(name, `more than ${MAX_DESCRIPTION} characters`);
  return text;
}

/** Mandatory for HTTPS, forbidden otherwise (nifcloud-api.md §5.1). @param held what an HTTPS listener has already */
export function readCertificate(
  world: World,
  parameters: Parameters,
  name: string,
  protocol: Protocol,
  held: string,
): string {
  const id = parameters.text(name);
  if (protocol === 'HTTPS')
    return id === undefined && held !== '' ? held : requireCertificate(world, parameters.requiredText(name));
  if (id !== undefined) throw illegal(name, `a listener of ${protocol} has no certificate`);
  return '';
}

/** A check with what only those of HTTP and HTTPS have: a path and the codes of success (nifcloud-api.md §5.1). @throws Refusal */
export function readElasticHealthCheck(parameters: Parameters, prefix: string): HealthCheck {
  const check = readHealthCheck(parameters, prefix, ['TCP', 'HTTP', 'HTTPS']);
  const path = parameters.text(`${prefix}.Path`) ?? '';
  const codes = `${prefix}.Expectation.member`;
  const httpCodes = parameters
    .indexes(codes)
    .map((index) => parameters.choice(`${codes}.${index}.HttpCode`, HTTP_CODES) ?? '')
    .filter((code) => code !== '');
  if (!check.target.startsWith('HTTP')) {
    if (path !== '') throw illegal(`${prefix}.Path`, `a check of ${check.target} has no path`);
    if (httpCodes.length > 0) throw illegal(`${prefix}.Expectation`, `a check of ${check.target} expects no code`);
  }
  if (path !== '' && (!/^\/[!-~]*$/.test(path) || path.length > MAX_PATH)) {
    throw illegal(
      `${prefix}.Path`,
      `${path} does not begin with /, or has more than ${MAX_PATH} characters, or odd ones`,
    );
  }
  if (httpCodes.length > HTTP_CODES.length) throw illegal(`${prefix}.Expectation`, 'more than five codes');
  return { ...check, path, httpCodes };
}

/** `Session` of a listener; what is absent stays. @param prefix of the listener, or of its attributes @throws Refusal */
export function readSession(parameters: Parameters, prefix: string, held: Stickiness): Stickiness {
  const policy = `${prefix}.Session.StickinessPolicy`;
  return readStickiness(parameters, policy, held, { maxMinutes: MAX_STICKY_MINUTES, hasMethods: true });
}

/**
 * `SorryPage` of a listener; what is absent stays. Only for HTTP and HTTPS, and with or without a URL to be sent to; switching
 * it off forgets the URL (invented).
 * @param prefix of the listener, or of its attributes
 * @throws Refusal
 */
export function readSorryPage(parameters: Parameters, prefix: string, protocol: Protocol, held: SorryPage): SorryPage {
  const sent = parameters.boolean(`${prefix}.SorryPage.Enable`);
  const redirectUrl = parameters.text(`${prefix}.SorryPage.RedirectUrl`) ?? held.redirectUrl;
  if (redirectUrl !== '' && !/^https?:\/\/.+/.test(redirectUrl)) {
    throw illegal(`${prefix}.SorryPage.RedirectUrl`, `${redirectUrl} is not a URL of http or https`);
  }
  const isHttp = protocol === 'HTTP' || protocol === 'HTTPS';
  if (sent === true && !isHttp)
    throw illegal(`${prefix}.SorryPage.Enable`, `a listener of ${protocol} has no sorry page`);
  return isHttp && (sent ?? held.enabled) ? { ...NO_SORRY_PAGE, enabled: true, redirectUrl } : NO_SORRY_PAGE;
}

/** The switch `elastic-targets`. @throws Refusal for a server of another zone, when that matters */
export function requireReachable(world: World, zone: string, servers: readonly Server[]): void {
  if (world.switches['elastic-targets'] === 'any-zone') return;
  const far = servers.find((server) => server.zone !== zone);
  if (far === undefined) return;
  throw new Refusal('Client.Inoperable.Instance.DifferentZone', `server ${far.name} is in ${far.zone}, not in ${zone}`);
}
