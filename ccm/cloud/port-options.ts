import {
  ANNOTATION_PREFIX,
  type ListenerProtocol,
  type LoadBalancerKind,
  type LoadBalancerSettings,
  type Problem,
} from './annotations.ts';
import type { Ports } from './l4-plan.ts';

/** Where an L4 load balancer uses a certificate that is stated without a port. */
const HTTPS_PORT = 443;

/** The only port on which an L4 load balancer has a sorry page (docs/reference/nifcloud-api.md §4.3). */
const SORRY_PAGE_PORT = 80;

/** A port of a Service that a load balancer can serve. */
export interface ServedPort extends Ports {
  readonly transport: 'TCP' | 'UDP';
}

/** With what the annotations say about it. */
export interface RequestedPort extends ServedPort {
  /** `undefined` = not stated, or not in a way that can be obeyed. */
  readonly protocol: ListenerProtocol | undefined;
  readonly certificateId: string | undefined;
  /** What stands in for its servers: a status of L4, a URL of elastic load balancers, or `none`. */
  readonly sorryPage: string | undefined;
  readonly stickinessMethod: LoadBalancerSettings['stickinessMethod'];
}

/** Brings annotations to the ports that they are for. Those for which there is none are problems. */
export function optionsOfPorts(
  kind: LoadBalancerKind,
  settings: LoadBalancerSettings,
  ports: readonly ServedPort[],
): { readonly ports: readonly RequestedPort[]; readonly problems: readonly Problem[] } {
  const { certificateIds, stickinessMethod } = settings;
  const problems: Problem[] = [];
  const object = (suffix: string, value: string, allowed: string): void => {
    problems.push({ field: ANNOTATION_PREFIX + suffix, value, allowed });
  };

  const hasTcp = (number: number): boolean =>
    ports.some((port) => port.transport === 'TCP' && port.loadBalancerPort === number);
  for (const [number, protocol] of settings.protocols ?? []) {
    if (!hasTcp(number)) object('protocols', `${number}=${protocol}`, `the Service has no TCP port ${number}`);
  }
  const protocolOf = (port: ServedPort): ListenerProtocol | undefined =>
    port.transport === 'TCP' ? settings.protocols?.get(port.loadBalancerPort) : undefined;
  const isHttp = (port: ServedPort): boolean => ['HTTP', 'HTTPS'].includes(protocolOf(port) ?? '');

  // A certificate that is stated by itself is for the ports that can't do without.
  const takesCertificate = (port: ServedPort): boolean => kind === 'l4' || protocolOf(port) === 'HTTPS';
  const certificateOf = (port: ServedPort): string | undefined => {
    if (!takesCertificate(port)) return undefined;
    if (typeof certificateIds !== 'string') return certificateIds?.get(port.loadBalancerPort);
    return kind === 'elastic' || port.loadBalancerPort === HTTPS_PORT ? certificateIds : undefined;
  };
  const needed = kind === 'l4' ? `there is no port ${HTTPS_PORT}` : `${ANNOTATION_PREFIX}protocols makes no port HTTPS`;
  if (typeof certificateIds === 'string') {
    if (!ports.some(certificateOf)) object('ssl-certificate-id', certificateIds, `${needed} that could use it`);
  } else {
    for (const [number, id] of certificateIds ?? []) {
      const isUsed = ports.some((port) => port.loadBalancerPort === number && takesCertificate(port));
      const allowed =
        kind === 'l4' ? `there is no port ${number}` : `${ANNOTATION_PREFIX}protocols does not make it HTTPS`;
      if (!isUsed) object('ssl-certificate-id', `${number}=${id}`, allowed);
    }
  }
  for (const port of ports.filter((one) => protocolOf(one) === 'HTTPS' && certificateOf(one) === undefined)) {
    object(
      'protocols',
      `${port.loadBalancerPort}=HTTPS`,
      `it needs a certificate: ${ANNOTATION_PREFIX}ssl-certificate-id`,
    );
  }

  const hasSorryPage = (port: ServedPort): boolean =>
    kind === 'l4' ? port.loadBalancerPort === SORRY_PAGE_PORT : isHttp(port);
  const [sorryPage, sorryKey, place] =
    kind === 'l4'
      ? [settings.sorryPage, 'sorry-page-status-code', `only for port ${SORRY_PAGE_PORT}`]
      : [settings.sorryPageUrl, 'sorry-page-redirect-url', HTTP_ONLY];
  if (sorryPage !== undefined && sorryPage !== 'none' && !ports.some(hasSorryPage)) object(sorryKey, sorryPage, place);
  if (stickinessMethod === 'cookie' && !ports.some(isHttp)) object('session-stickiness-method', 'cookie', HTTP_ONLY);

  const requested = ports.map((port) => {
    const protocol = protocolOf(port);
    const certificateId = certificateOf(port);
    return {
      ...port,
      protocol: protocol === 'HTTPS' && certificateId === undefined ? undefined : protocol,
      certificateId,
      sorryPage: sorryPage === 'none' || hasSorryPage(port) ? sorryPage : undefined,
      stickinessMethod: stickinessMethod !== 'cookie' || isHttp(port) ? stickinessMethod : undefined,
    };
  });
  return { ports: requested, problems };
}

const HTTP_ONLY = `only for ports that ${ANNOTATION_PREFIX}protocols makes HTTP or HTTPS`;
