import type { ElasticLoadBalancer } from '../../nifcloud/elastic-load-balancers.ts';
import { ANNOTATION_PREFIX, type LoadBalancerSettings } from './annotations.ts';
import type { WantedElastic, WantedElasticListener } from './elastic-plan.ts';
import type { WantedTarget } from './l4-plan.ts';
import { mercy, portsToServe, unchangeable, type Request } from './load-balancer.ts';
import type { RequestedPort } from './port-options.ts';

/** Where a load balancer of which nothing else is stated has its address. */
const GLOBAL_NETWORK = 'net-COMMON_GLOBAL';

/** Where kube-proxy says whether a node has an endpoint (`docs/reference/ccm.md` E7 #27). */
const LOCAL_CHECK_PATH = '/healthz';

/** What a load balancer rests on besides its Service. */
export interface ElasticFacts {
  /** Those of all listeners; `undefined` = they stay as they are. */
  readonly targets: readonly WantedTarget[] | undefined;
  /** `ownerText` of the Service. */
  readonly owner: string;
}

/**
 * The elastic load balancer that `request` describes, and what is to be said where the one that exists can't follow.
 *
 * @throws RefusedRequest when nothing exists yet and there are problems, or when none of the ports can be served
 * @throws when nothing exists yet, and nothing says in which zone it is to be
 */
export function wantedElastic(
  request: Request,
  { targets, owner }: ElasticFacts,
  seen: ElasticLoadBalancer | undefined,
): { readonly wanted: WantedElastic; readonly skipped: readonly string[] } {
  const { settings } = request;
  const skipped = mercy(request, seen);
  if (seen !== undefined) skipped.push(...chosenOtherwise(settings, seen));
  const zone = seen?.zone ?? settings.zone ?? zoneOfMost(targets ?? []);
  // Its own zone first: should the cloud not take servers of others, those that it takes stand together.
  const sorted = targets?.toSorted((a, b) => Number(b.zone === zone) - Number(a.zone === zone));
  const near = settings.sameZone === true ? inZone(sorted, zone) : sorted;
  if (targets !== undefined && near === undefined) {
    skipped.push(
      `annotation ${ANNOTATION_PREFIX}same-zone=true: no node is in ${zone}; the load balancer keeps its targets`,
    );
  }
  const wanted = {
    zone,
    interfaces: interfacesOf(settings),
    networkVolumeMbps: settings.networkVolumeMbps,
    nextMonthAccountingType: settings.accountingType,
    listeners: portsToServe(request.ports, (port) => isServed(port, seen)).map((port) =>
      wantedListener(port, request, near, owner),
    ),
  };
  return { wanted, skipped };
}

/** What can be chosen at creation only, and was chosen otherwise (`docs/reference/ccm.md` E7 #11). */
function chosenOtherwise(settings: LoadBalancerSettings, seen: ElasticLoadBalancer): readonly string[] {
  const messages: string[] = [];
  const compare = (suffix: string, wanted: string | undefined, present: string): void => {
    if (wanted !== undefined && wanted !== present) messages.push(unchangeable(suffix, wanted, present || 'absent'));
  };
  compare('zone', settings.zone, seen.zone);
  for (const { number, networkId, address, systemAddresses } of settings.interfaces ?? []) {
    const prefix = `network-interface-${number}`;
    const present = seen.interfaces.find((one) => one.networkId === networkId);
    compare(
      `${prefix}-network-id`,
      networkId,
      present?.networkId ?? seen.interfaces.map((one) => one.networkId).join(' and '),
    );
    if (present === undefined) continue;
    compare(`${prefix}-ip-address`, address, present.address);
    compare(`${prefix}-system-ip-addresses`, inOrder(systemAddresses), inOrder(present.systemAddresses) ?? '');
  }
  const vipNetwork = settings.interfaces?.find((one) => one.number === settings.vipNetwork);
  const vipSide = seen.interfaces.find((one) => one.isVip);
  if (vipNetwork !== undefined && vipNetwork.networkId !== vipSide?.networkId) {
    const present = settings.interfaces?.find((one) => one.networkId === vipSide?.networkId);
    compare('vip-network', vipNetwork.number, present?.number ?? vipSide?.networkId ?? '');
  }
  return messages;
}

function inOrder(addresses: readonly string[] | undefined): string | undefined {
  return addresses?.toSorted().join(',');
}

/** One on the global network unless others are stated. Where it is not said on which of them clients come in, it is the first. */
function interfacesOf({ interfaces, vipNetwork }: LoadBalancerSettings): WantedElastic['interfaces'] {
  if (interfaces === undefined) return [{ networkId: GLOBAL_NETWORK, isVip: true }];
  const vip = vipNetwork ?? interfaces[0]?.number;
  return interfaces.map(({ number, networkId, address, systemAddresses }) => ({
    networkId,
    isVip: number === vip,
    ...(address === undefined ? {} : { address }),
    ...(systemAddresses === undefined ? {} : { systemAddresses }),
  }));
}

/** Ties by name, so that two runs agree. */
function zoneOfMost(targets: readonly WantedTarget[]): string {
  const counts = new Map<string, number>();
  for (const { zone = '' } of targets) if (zone !== '') counts.set(zone, (counts.get(zone) ?? 0) + 1);
  const [most] = [...counts].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (most !== undefined) return most[0];
  throw new Error(
    `no node says in which zone the load balancer is to be made: annotation ${ANNOTATION_PREFIX}zone can, or a node that the cloud lists`,
  );
}

/** `undefined` where that would be none: targets leave because their node left, not because of what is stated. */
function inZone(targets: readonly WantedTarget[] | undefined, zone: string): readonly WantedTarget[] | undefined {
  const near = targets?.filter((one) => !one.listed || one.zone === zone);
  return near?.some((one) => one.listed) === true ? near : undefined;
}

function isServed({ transport, loadBalancerPort }: RequestedPort, seen: ElasticLoadBalancer | undefined): boolean {
  return (seen?.listeners ?? []).some(
    (one) => one.loadBalancerPort === loadBalancerPort && (one.protocol === 'UDP') === (transport === 'UDP'),
  );
}

function wantedListener(
  port: RequestedPort,
  request: Request,
  targets: readonly WantedTarget[] | undefined,
  description: string,
): WantedElasticListener {
  const { transport, protocol, loadBalancerPort, instancePort, certificateId, sorryPage } = port;
  return {
    protocol: protocol ?? transport,
    isProtocolStated: protocol !== undefined,
    loadBalancerPort,
    instancePort,
    balancingType: request.settings.balancingType,
    description,
    certificateId,
    healthCheck: wantedCheck(port, request),
    stickiness: wantedStickiness(port, request.settings),
    sorryPage: sorryPage === undefined || sorryPage === 'none' ? sorryPage && 'off' : { redirectUrl: sorryPage },
    targets,
  };
}

function wantedCheck(
  { transport, instancePort }: RequestedPort,
  { settings, localCheckPort }: Request,
): WantedElasticListener['healthCheck'] {
  const { healthCheckProtocol: stated, healthCheckPath: path, healthCheckHttpCodes: httpCodes } = settings;
  const times = {
    intervalSeconds: settings.healthCheckIntervalSeconds,
    unhealthyThreshold: settings.healthCheckUnhealthyThreshold,
  };
  const isUdp = transport === 'UDP';
  if (localCheckPort !== undefined && (stated === undefined || (isUdp && stated !== 'ICMP'))) {
    return { target: `HTTP:${localCheckPort}`, path: LOCAL_CHECK_PATH, httpCodes: undefined, ...times };
  }
  // Of UDP nobody can tell whether it answers.
  if (isUdp || stated === 'ICMP') return { target: 'ICMP', path: undefined, httpCodes: undefined, ...times };
  return { target: `${stated ?? 'TCP'}:${instancePort}`, path, httpCodes, ...times };
}

function wantedStickiness(
  { stickinessMethod: method }: RequestedPort,
  { stickinessMethod: stated, stickinessPeriodMinutes: periodMinutes }: LoadBalancerSettings,
): WantedElasticListener['stickiness'] {
  if (method === 'none') return 'off';
  // Stated for other ports only.
  if (method === undefined && stated !== undefined) return undefined;
  if (method === undefined && periodMinutes === undefined) return undefined;
  return { ...(method === undefined ? {} : { method }), ...(periodMinutes === undefined ? {} : { periodMinutes }) };
}
