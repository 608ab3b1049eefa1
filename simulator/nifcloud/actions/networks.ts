import { equal, readFilters, wildcard } from '../api/filters.ts';
import { describedBy } from '../api/names.ts';
import {
  noSuchNetwork,
  noSuchPrivateLanName,
  noSuchRouterId,
  noSuchRouterName,
  privateLanNamed,
  routerNamed,
} from '../world/networks.ts';
import type { Handler } from '../api/call.ts';
import type { FilterKey } from '../api/filters.ts';
import type { XmlFields } from '../api/wire.ts';
import type { PrivateLan, Router } from '../world/networks.ts';
import type { World } from '../world/world.ts';

/** What the fleet's routers and private LANs have in common; nothing of it matters to a cluster. */
const ACCOUNTING_TYPE = '2';
const ROUTER_TYPE = 'small';
const ROUTER_VERSION = '1.0';

/** Every filter of the model (docs/reference/nifcloud-api.md §7). */
const ROUTER_FILTERS: Readonly<Record<string, FilterKey<Router>>> = {
  'availability-zone': { texts: ({ zone }) => [zone], by: equal },
  state: { texts: (router) => [routerState(router)], by: equal },
  'router-id': { texts: ({ id }) => [id], by: equal },
  'router-name': { texts: ({ name }) => [name], by: wildcard },
  description: { texts: () => [''], by: wildcard },
  accountingType: { texts: () => [ACCOUNTING_TYPE], by: equal },
  type: { texts: () => [ROUTER_TYPE], by: equal },
  'ip-address': { texts: ({ interfaces }) => interfaces.map(({ ipAddress }) => ipAddress), by: equal },
  version: { texts: () => [ROUTER_VERSION], by: equal },
  'latest-version-information': { texts: () => ['true'], by: equal },
};

/** NiftyDescribeRouters: by ids and names; of both lists a router must be in each (invented). */
export const describeRouters: Handler = (call) => {
  const { world, parameters } = call;
  const passes = readFilters(parameters, ROUTER_FILTERS);
  const all = [...world.routers.values()];
  const byId = describedBy(call, 'RouterId', { all, find: (id) => world.routers.get(id), unknown: noSuchRouterId });
  const byName = describedBy(call, 'RouterName', {
    all,
    find: (name) => routerNamed(world, name),
    unknown: noSuchRouterName,
  });
  const routers = byId.filter((router) => byName.includes(router) && passes(router));
  return { routerSet: { item: routers.map((router) => describeRouter(world, router)) } };
};

/** A router is `pending` while its route table changes (nifcloud-api.md §7). */
function routerState({ transition }: Router): 'available' | 'pending' {
  return transition === undefined ? 'available' : 'pending';
}

/** Without times: there are none to tell, and the official Go SDK reads no empty ones. */
function describeRouter(world: World, router: Router): XmlFields {
  return {
    routerId: router.id,
    routerName: router.name,
    state: routerState(router),
    type: ROUTER_TYPE,
    availabilityZone: router.zone,
    description: undefined,
    accountingType: ACCOUNTING_TYPE,
    nextMonthAccountingType: ACCOUNTING_TYPE,
    groupSet: undefined,
    networkInterfaceSet: {
      item: router.interfaces.map(({ networkId, ipAddress }, deviceIndex) => {
        const lan = world.privateLans.get(networkId);
        return {
          networkId,
          networkName: lan?.name,
          deviceIndex,
          ipAddress,
          cidrBlock: lan?.cidr,
          description: undefined,
          dhcp: false,
          dhcpConfigId: undefined,
          dhcpOptionsId: undefined,
        };
      }),
    },
    routeTableId: router.routeTableId,
    routeTableAssociationId: router.routeTableAssociationId,
    natTableId: undefined,
    natTableAssociationId: undefined,
    versionInformation: { version: ROUTER_VERSION, isLatest: true },
    backupInformation: { isBackup: false },
    tagSet: undefined,
  };
}

const ZONE_FILTER: FilterKey<PrivateLan> = { texts: ({ zone }) => [zone], by: equal };
const CIDR_FILTER: FilterKey<PrivateLan> = { texts: ({ cidr }) => [cidr], by: equal };

/** Every filter of the model, which spells two of them in several ways (nifcloud-api.md §7). */
const PRIVATE_LAN_FILTERS: Readonly<Record<string, FilterKey<PrivateLan>>> = {
  availabilityZone: ZONE_FILTER,
  'availability-zone': ZONE_FILTER,
  cidrBlock: CIDR_FILTER,
  cidr: CIDR_FILTER,
  'cidr-block': CIDR_FILTER,
  state: { texts: () => ['available'], by: equal },
  'network-id': { texts: ({ id }) => [id], by: equal },
  'private-lan-name': { texts: ({ name }) => [name], by: wildcard },
  accountingType: { texts: () => [ACCOUNTING_TYPE], by: equal },
  description: { texts: () => [''], by: wildcard },
};

/** NiftyDescribePrivateLans: by ids and names; of both lists a private LAN must be in each (invented). */
export const describePrivateLans: Handler = (call) => {
  const { world, parameters } = call;
  const passes = readFilters(parameters, PRIVATE_LAN_FILTERS);
  const all = [...world.privateLans.values()];
  const byId = describedBy(call, 'NetworkId', { all, find: (id) => world.privateLans.get(id), unknown: noSuchNetwork });
  const byName = describedBy(call, 'PrivateLanName', {
    all,
    find: (name) => privateLanNamed(world, name),
    unknown: noSuchPrivateLanName,
  });
  const lans = byId.filter((lan) => byName.includes(lan) && passes(lan));
  return { privateLanSet: { item: lans.map((lan) => describePrivateLan(world, lan)) } };
};

/** Without a time, as routers. */
function describePrivateLan(world: World, lan: PrivateLan): XmlFields {
  return {
    networkId: lan.id,
    privateLanName: lan.name,
    state: 'available',
    cidrBlock: lan.cidr,
    availabilityZone: lan.zone,
    description: undefined,
    accountingType: ACCOUNTING_TYPE,
    nextMonthAccountingType: ACCOUNTING_TYPE,
    sharingStatus: undefined,
    instancesSet: { item: serversIn(world, lan) },
    routerSet: { item: routersIn(world, lan) },
    elasticLoadBalancingSet: { item: elasticListenersIn(world, lan) },
    networkInterfaceSet: undefined,
    vpnGatewaySet: undefined,
    remoteAccessVpnGatewaySet: undefined,
    tagSet: undefined,
  };
}

/** A server's second interface is on its private network; the index of it is a guess. */
function serversIn(world: World, lan: PrivateLan): readonly XmlFields[] {
  return [...world.servers.values()]
    .filter(({ privateNetworkId }) => privateNetworkId === lan.id)
    .map(({ name, uniqueId, privateAddress }) => ({
      instanceId: name,
      instanceUniqueId: uniqueId,
      ipAddress: privateAddress,
      deviceIndex: 1,
    }));
}

function routersIn(world: World, lan: PrivateLan): readonly XmlFields[] {
  return [...world.routers.values()].flatMap(({ id, name, interfaces }) =>
    interfaces.flatMap(({ networkId, ipAddress }, deviceIndex) =>
      networkId === lan.id ? [{ routerId: id, routerName: name, ipAddress, deviceIndex }] : [],
    ),
  );
}

function elasticListenersIn(world: World, lan: PrivateLan): readonly XmlFields[] {
  return [...world.elasticLoadBalancers.values()]
    .filter(({ interfaces }) => interfaces.some(({ networkId }) => networkId === lan.id))
    .flatMap(({ name, listeners }) =>
      listeners.map(({ protocol, loadBalancerPort, instancePort }) => ({
        elasticLoadBalancerName: name,
        protocol,
        elasticLoadBalancerPort: loadBalancerPort,
        instancePort,
      })),
    );
}
