import type { Call, Handler } from '../api/call.ts';
import { illegal, timestamp } from '../api/wire.ts';
import type { Xml, XmlFields } from '../api/wire.ts';
import { attachmentStatus, disksOf } from '../world/volumes.ts';
import { serverNamed } from '../world/servers.ts';
import type { Server } from '../world/servers.ts';
import type { World } from '../world/world.ts';

/** The fleet's servers are paid by use and of the default tenancy; neither matters to a cluster. */
const ACCOUNTING_TYPE = '2';
const TENANCY = 'default';

/** Codes of `instanceState` (docs/reference/nifcloud-api.md §2.3). */
const STATE_CODES: Readonly<Record<Server['state'], number>> = { pending: 0, running: 16, stopped: 80, warning: 16 };

/** DescribeInstances: one reservation for each server; one unknown name refuses the call as a whole (nifcloud-api.md §2.2). */
export const describeInstances: Handler = ({ world, parameters }) => {
  const names = parameters.list('InstanceId');
  const tenancies = parameters.list('Tenancy');
  const servers = names.length === 0 ? [...world.servers.values()] : names.map((name) => serverNamed(world, name));
  const memberships = loadBalancing(world);
  return {
    reservationSet: {
      item: servers
        .filter(() => tenancies.length === 0 || tenancies.includes(TENANCY))
        .map((server) => ({
          reservationId: undefined,
          ownerId: undefined,
          groupSet: groupSet(server),
          instancesSet: { item: instance(server, memberships.get(server.uniqueId) ?? []) },
        })),
    },
  };
};

/** With its quirks: `AccountingType` has a capital letter, and no disks are listed (recorded answers, nifcloud-api.md §1.5, §2.2). */
function instance(server: Server, memberships: readonly XmlFields[]): XmlFields {
  return {
    instanceId: server.name,
    instanceUniqueId: server.uniqueId,
    imageId: undefined,
    imageName: undefined,
    instanceState: { code: STATE_CODES[server.state], name: server.state },
    privateDnsName: server.privateAddress,
    dnsName: server.publicAddress,
    reason: undefined,
    keyName: undefined,
    amiLaunchIndex: undefined,
    productCodes: undefined,
    instanceType: server.type,
    launchTime: timestamp(server.launchedAtMs),
    placement: { availabilityZone: server.zone },
    kernelId: undefined,
    ramdiskId: undefined,
    platform: 'ubuntu',
    monitoring: { state: undefined },
    subnetId: undefined,
    vpcId: undefined,
    privateIpAddress: server.privateAddress,
    privateIpAddressV6: undefined,
    ipAddress: server.publicAddress,
    ipAddressV6: undefined,
    stateReason: undefined,
    architecture: undefined,
    rootDeviceType: 'disk',
    rootDeviceName: undefined,
    blockDeviceMapping: undefined,
    instanceLifecycle: undefined,
    spotInstanceRequestId: undefined,
    AccountingType: ACCOUNTING_TYPE,
    nextMonthAccountingType: ACCOUNTING_TYPE,
    loadbalancing: { item: memberships },
    niftyElasticLoadBalancing: undefined,
    copyInfo: undefined,
    autoscaling: undefined,
    ipType: ipType(server),
    niftyPrivateIpType: 'static',
    niftyPrivateNetworkType: 'STANDARD',
    vmTools: { version: undefined, state: server.state === 'running' ? 'running' : undefined },
    description: undefined,
    isoImageSet: undefined,
    hotAdd: undefined,
    networkInterfaceSet: networkInterfaceSet(server),
    niftySnapshotting: undefined,
    tenancy: TENANCY,
    instanceBackupRule: undefined,
    multiIpAddressGroup: undefined,
  };
}

/** What DescribeInstanceAttribute answers for each `Attribute` (nifcloud-api.md §2.4): the element's name and its content. */
const ATTRIBUTES = {
  instanceType: (server) => ['instanceType', { value: server.type }],
  disableApiTermination: () => ['disableApiTermination', { value: false }],
  blockDeviceMapping: (server, world) => ['blockDeviceMapping', { item: blockDevices(server, world) }],
  accountingType: () => ['accountingType', { value: ACCOUNTING_TYPE }],
  nextMonthAccountingType: () => ['nextMonthAccountingType', { value: ACCOUNTING_TYPE }],
  loadbalancing: (server, world) => ['loadbalancing', { item: loadBalancing(world).get(server.uniqueId) ?? [] }],
  copyInfo: () => ['copyInfo', { value: undefined }],
  autoscaling: () => ['autoscaling', undefined],
  ipType: (server) => ['ipType', { value: ipType(server) }],
  niftyPrivateIpType: () => ['niftyPrivateIpType', { value: 'static' }],
  groupId: (server) => ['groupId', { value: server.firewallGroup }],
  description: () => ['description', { value: undefined }],
  networkInterfaceSet: (server) => ['networkInterfaceSet', networkInterfaceSet(server)],
  elasticloadbalancing: () => ['niftyElasticLoadBalancing', undefined],
} as const satisfies Readonly<
  Record<string, (server: Server, world: World) => readonly [element: string, content: Xml]>
>;

/** DescribeInstanceAttribute. It is refused without an `Attribute`, since nobody knows what the cloud then answers. */
export const describeInstanceAttribute: Handler = ({ world, parameters }: Call) => {
  const server = serverNamed(world, parameters.requiredText('InstanceId'));
  const attribute = parameters.choice('Attribute', Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]);
  if (attribute === undefined) throw illegal('Attribute', `name one of ${Object.keys(ATTRIBUTES).join(', ')}`);
  const [element, content] = ATTRIBUTES[attribute](server, world);
  return { instanceId: server.name, instanceUniqueId: server.uniqueId, [element]: content };
};

/** Here, and only here, a device is written with a blank: `SCSI (0:1)` (nifcloud-api.md §2.4). */
function blockDevices(server: Server, world: World): readonly XmlFields[] {
  return disksOf(world, server.uniqueId)
    .filter(({ volume }) => volume.transition?.kind !== 'create')
    .map(({ volume, attachment }) => ({
      deviceName: `SCSI (0:${attachment.slot})`,
      ebs: {
        volumeId: volume.id,
        volumeUniqueId: volume.uniqueId,
        status: attachmentStatus(volume),
        attachTime: timestamp(attachment.attachedAtMs),
        deleteOnTermination: false,
      },
    }));
}

/** The L4 load balancers that each server is registered with, by the server's unique id. */
function loadBalancing(world: World): ReadonlyMap<string, readonly XmlFields[]> {
  const memberships = new Map<string, XmlFields[]>();
  for (const loadBalancer of world.loadBalancers.values()) {
    for (const port of loadBalancer.ports) {
      for (const target of port.targets) {
        const of = memberships.get(target.serverUniqueId) ?? [];
        memberships.set(target.serverUniqueId, of);
        of.push({
          loadBalancerName: loadBalancer.name,
          loadBalancerPort: port.loadBalancerPort,
          instancePort: port.instancePort,
          State: target.state,
        });
      }
    }
  }
  return memberships;
}

function groupSet(server: Server): XmlFields {
  return { item: server.firewallGroup === '' ? [] : [{ groupId: server.firewallGroup }] };
}

function ipType(server: Server): string {
  return server.publicAddress === '' ? 'none' : 'static';
}

/** The common global and the common private network, each where the server has an address; `deviceIndex` is 0 for both (recorded). */
function networkInterfaceSet(server: Server): XmlFields {
  const attachment = { attachmentId: undefined, deviceIndex: 0, status: undefined, attachTime: undefined };
  const networks: XmlFields[] = [];
  if (server.publicAddress !== '') {
    networks.push({
      niftyNetworkId: 'net-COMMON_GLOBAL',
      privateIpAddress: undefined,
      association: { publicIp: server.publicAddress, publicDnsName: server.publicAddress, ipOwnerId: undefined },
      attachment,
    });
  }
  if (server.privateAddress !== '') {
    networks.push({
      niftyNetworkId: 'net-COMMON_PRIVATE',
      privateIpAddress: server.privateAddress,
      privateDnsName: server.privateAddress,
      association: undefined,
      attachment,
    });
  }
  return { item: networks };
}
