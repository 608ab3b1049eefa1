import type { Call, Handler } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { ElasticInterface, ElasticLoadBalancer } from '../world/listeners.ts';
import { issueUniqueId, withAddresses } from '../world/world.ts';
import { readInterfaces, readSystemAddresses } from './elastic-interfaces.ts';
import {
  readElasticHealthCheck,
  readListener,
  readSession,
  readSorryPage,
  requireReachable,
} from './elastic-listener-settings.ts';
import { changeableListener, elasticNamed, requireAvailable } from './elastic-lookups.ts';
import {
  ACCOUNTING_TYPES,
  DEFAULT_ACCOUNTING_TYPE,
  DEFAULT_NETWORK_VOLUME,
  readName,
  requireZone,
} from './listener-settings.ts';
import { namedServers, withTargets } from './targets.ts';

/** Limits of elastic load balancers (docs/reference/nifcloud-api.md §5.1). */
const MAX_LOAD_BALANCERS_PER_ZONE = 5;
const NETWORK_VOLUMES_MBPS = ['10', '20', '30', '40', '100', '200', '300', '400', '500'];

/** What a new load balancer has, and ReplaceElasticLoadBalancerLatestVersion brings (recorded, nifcloud-api.md §5.4). */
export const LATEST_VERSION = 'v2.0';

/** The code for a server that is registered with the listener already. */
export const REGISTERED = 'Client.Inoperable.ElasticLoadBalancer.HavingRegisteredInstance';

/**
 * NiftyCreateElasticLoadBalancer: with its first listener and all that belongs to that. The answer lacks the VIP, as recorded
 * (nifcloud-api.md §5.4).
 */
export const createElasticLoadBalancer: Handler = (call) => {
  const { world, parameters, nowMs } = call;
  const name = readNewName(call, 'ElasticLoadBalancerName') ?? issuedName(call);
  const zone = readZone(call);
  const { prefix, listener } = readListener(world, parameters);
  listener.healthCheck = readElasticHealthCheck(parameters, `${prefix}.HealthCheck`);
  listener.stickiness = readSession(parameters, prefix, listener.stickiness);
  listener.sorryPage = readSorryPage(parameters, prefix, listener.protocol, listener.sorryPage);
  const servers = namedServers(world, parameters, 'names-and-ids', `${prefix}.Instances.member`);
  requireReachable(world, zone, servers);
  listener.targets = withTargets(listener, servers, REGISTERED);
  const accountingType = parameters.choice('AccountingType', ACCOUNTING_TYPES) ?? DEFAULT_ACCOUNTING_TYPE;
  const networkVolume = parameters.choice('NetworkVolume', NETWORK_VOLUMES_MBPS) ?? DEFAULT_NETWORK_VOLUME;
  const interfaces = readInterfaces(world, parameters, zone);
  requireRoomInZone(call, zone);
  world.elasticLoadBalancers.set(name, {
    name,
    uniqueId: issueUniqueId('elb', `${name} ${nowMs} ${call.random()}`),
    zone,
    networkVolumeMbps: Number(networkVolume),
    accountingType,
    nextMonthAccountingType: accountingType,
    createdAtMs: nowMs,
    ...withAddresses(world, interfaces),
    listeners: [listener],
    routeTableId: '',
    routeTableAssociationId: '',
    version: LATEST_VERSION,
    transition: call.transition('elastic-create'),
  });
  return { DNSName: undefined };
};

/** NiftyUpdateElasticLoadBalancer: name, bandwidth and next month's accounting. */
export const updateElasticLoadBalancer: Handler = (call) => {
  const { world, parameters } = call;
  const loadBalancer = requireAvailable(elasticNamed(world, parameters));
  const networkVolume = parameters.choice('NetworkVolumeUpdate', NETWORK_VOLUMES_MBPS);
  const accountingType = parameters.choice('AccountingTypeUpdate', ACCOUNTING_TYPES);
  const rename = readNewName(call, 'ElasticLoadBalancerNameUpdate');
  if (networkVolume !== undefined) loadBalancer.networkVolumeMbps = Number(networkVolume);
  if (accountingType !== undefined) loadBalancer.nextMonthAccountingType = accountingType;
  if (rename !== undefined) {
    world.elasticLoadBalancers.delete(loadBalancer.name);
    loadBalancer.name = rename;
    world.elasticLoadBalancers.set(rename, loadBalancer);
  }
  loadBalancer.transition = call.transition('elastic-change');
  return undefined;
};

/** NiftyDeleteElasticLoadBalancer: the listener goes at the end of the processing, and with the last one the load balancer. */
export const deleteElasticLoadBalancer: Handler = (call) => {
  const { loadBalancer, listener } = changeableListener(call);
  const { protocol, loadBalancerPort, instancePort } = listener;
  loadBalancer.transition = {
    ...call.transition('elastic-change'),
    deletes: { protocol, loadBalancerPort, instancePort },
  };
  return {};
};

/**
 * NiftyReplaceElasticLoadBalancerLatestVersion, also of one that has it (invented). Interfaces in private LANs can be given other
 * system addresses.
 */
export const replaceLatestVersion: Handler = (call) => {
  const loadBalancer = requireAvailable(elasticNamed(call.world, call.parameters));
  const interfaces = readNewSystemAddresses(call, loadBalancer);
  loadBalancer.interfaces = interfaces;
  loadBalancer.version = LATEST_VERSION;
  loadBalancer.transition = call.transition('elastic-change');
  return {};
};

function readNewSystemAddresses(
  { world, parameters }: Call,
  { interfaces }: ElasticLoadBalancer,
): readonly ElasticInterface[] {
  const changed = new Map<string, readonly string[]>();
  for (const index of parameters.indexes('NetworkInterface')) {
    const prefix = `NetworkInterface.${index}`;
    const id = parameters.requiredText(`${prefix}.NetworkId`);
    const lan = world.privateLans.get(id);
    const held = interfaces.find(({ networkId }) => networkId === id);
    if (lan === undefined || held === undefined) {
      throw illegal(`${prefix}.NetworkId`, `the load balancer is in no private LAN ${id}`);
    }
    changed.set(id, readSystemAddresses(parameters, prefix, lan, held.ipAddress));
  }
  return interfaces.map((one) => ({
    ...one,
    systemIpAddresses: changed.get(one.networkId) ?? one.systemIpAddresses,
  }));
}

/** Exactly one. */
function readZone({ world, parameters }: Call): string {
  const [zone, ...more] = parameters.list('AvailabilityZones.member');
  if (more.length > 0) throw illegal('AvailabilityZones', 'an elastic load balancer is in one zone');
  return requireZone(world, zone ?? parameters.requiredText('AvailabilityZones.member.1'));
}

function requireRoomInZone({ world }: Call, zone: string): void {
  const there = [...world.elasticLoadBalancers.values()].filter((one) => one.zone === zone).length;
  if (there < MAX_LOAD_BALANCERS_PER_ZONE) return;
  throw new Refusal(
    'Client.Inoperable.ElasticLoadBalancer.LimitExceeded',
    `there are ${there} elastic load balancers in ${zone} already`,
  );
}

function readNewName({ world, parameters }: Call, parameter: string): string | undefined {
  const name = readName(parameters, parameter);
  if (name !== undefined && world.elasticLoadBalancers.has(name)) {
    throw new Refusal('Client.InvalidParameterDuplicate.ElasticLoadBalancer', `there is ${name} already`);
  }
  return name;
}

/** The model lets creation go without a name; that 8 alphanumerics are issued then, as to disks, is invented. */
function issuedName({ world, nowMs, random }: Call): string {
  for (let attempt = 0; ; attempt++) {
    const name = issueUniqueId('elb', `name ${nowMs} ${random()} ${attempt}`).slice('elb-'.length);
    if (!world.elasticLoadBalancers.has(name)) return name;
  }
}
