import type { Call, Handler } from '../api/call.ts';
import { describedBy } from '../api/names.ts';
import { illegal, timestamp } from '../api/wire.ts';
import type { Xml, XmlFields } from '../api/wire.ts';
import { attachmentStatus, disksOf } from '../world/volumes.ts';
import { COMMON_NETWORKS } from '../world/networks.ts';
import { isUp, noSuchServer, serverNamed } from '../world/servers.ts';
import type { Server } from '../world/servers.ts';
import type { World } from '../world/world.ts';
import { elasticMemberships } from './elastic-descriptions.ts';
import { l4Memberships } from './l4-descriptions.ts';

/** All servers of the simulator are of this one. */
export const TENANCY = 'default';

/** Codes of `instanceState` (docs/reference/nifcloud-api.md §2.3); that of `warning` is unknown. */
const STATE_CODES: Readonly<Record<Server['state'], number>> = { pending: 0, running: 16, stopped: 80, warning: 16 };

/** DescribeInstances: one reservation for each server (nifcloud-api.md §2.2). */
export const describeInstances: Handler = (call) => {
  const { world, parameters } = call;
  const tenancies = parameters.list('Tenancy');
  const servers = describedBy(call, 'InstanceId', {
    all: world.servers.values(),
    find: (name) => world.servers.get(name),
    unknown: noSuchServer,
  });
  const memberships = { l4: l4Memberships(world), elastic: elasticMemberships(world) };
  return {
    reservationSet: {
      item: servers
        .filter(() => tenancies.length === 0 || tenancies.includes(TENANCY))
        .map((server) => ({
          reservationId: undefined,
          ownerId: undefined,
          groupSet: groupSet(server),
          instancesSet: { item: instance(server, world, memberships) },
        })),
    },
  };
};

/** The load balancers that each server, by its unique id, is registered with. */
type Memberships = Readonly<Record<'l4' | 'elastic', ReadonlyMap<string, readonly XmlFields[]>>>;

/** With its quirks: `AccountingType` has a capital letter, and no disks are listed (recorded answers, nifcloud-api.md §1.5, §2.2). */
function instance(server: Server, world: World, memberships: Memberships): XmlFields {
  return {
    instanceId: server.name,
    instanceUniqueId: server.uniqueId,
    imageId: undefined,
    imageName: undefined,
    instanceState: stateFields(server),
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
    stateReason: { code: undefined, message: undefined },
    architecture: undefined,
    rootDeviceType: 'disk',
    rootDeviceName: undefined,
    blockDeviceMapping: undefined,
    instanceLifecycle: undefined,
    spotInstanceRequestId: undefined,
    AccountingType: server.accountingType,
    nextMonthAccountingType: server.nextMonthAccountingType,
    loadbalancing: { item: memberships.l4.get(server.uniqueId) ?? [] },
    niftyElasticLoadBalancing: { item: memberships.elastic.get(server.uniqueId) ?? [] },
    copyInfo: undefined,
    // The official Go SDK can not read an empty time, so that there must be no `expireTime`.
    autoscaling: { autoScalingGroupName: undefined },
    ipType: ipType(server),
    niftyPrivateIpType: 'static',
    niftyPrivateNetworkType: server.privateNetworkId === COMMON_NETWORKS.private ? 'STANDARD' : 'PRIVATE_LAN',
    vmTools: { version: undefined, state: isUp(server) ? 'running' : undefined },
    description: server.description,
    isoImageSet: undefined,
    hotAdd: undefined,
    isGpuConfigurable: undefined,
    networkInterfaceSet: { item: networkInterfaces(server, world) },
    niftySnapshotting: undefined,
    tenancy: TENANCY,
    instanceBackupRule: { instanceBackupRuleId: undefined, instanceBackupRuleName: undefined },
    multiIpAddressGroup: { multiIpAddressGroupId: undefined, multiIpAddressGroupName: undefined },
  };
}

/** What DescribeInstanceAttribute answers for each `Attribute` (nifcloud-api.md §2.4): the element's name and its content. */
const ATTRIBUTES = {
  instanceType: (server) => ['instanceType', { value: server.type }],
  disableApiTermination: () => ['disableApiTermination', { value: false }],
  blockDeviceMapping: (server, world) => ['blockDeviceMapping', { item: blockDevices(server, world) }],
  accountingType: (server) => ['accountingType', { value: server.accountingType }],
  nextMonthAccountingType: (server) => ['nextMonthAccountingType', { value: server.nextMonthAccountingType }],
  loadbalancing: (server, world) => ['loadbalancing', { item: l4Memberships(world).get(server.uniqueId) ?? [] }],
  copyInfo: () => ['copyInfo', { value: undefined }],
  autoscaling: () => ['autoscaling', { autoScalingGroupName: undefined }],
  ipType: (server) => ['ipType', { value: ipType(server) }],
  niftyPrivateIpType: () => ['niftyPrivateIpType', { value: 'static' }],
  groupId: (server) => ['groupId', { value: server.firewallGroup }],
  description: (server) => ['description', { value: server.description }],
  networkInterfaceSet: (server, world) => [
    'networkInterfaceSet',
    // Here, unlike in DescribeInstances, these two hold nothing.
    {
      item: networkInterfaces(server, world).map((one) => ({
        ...one,
        groupSet: undefined,
        privateIpAddressesSet: undefined,
      })),
    },
  ],
  elasticloadbalancing: (server, world) => [
    'niftyElasticLoadBalancing',
    { item: elasticMemberships(world).get(server.uniqueId) ?? [] },
  ],
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

function groupSet(server: Server): XmlFields {
  return { item: server.firewallGroup === '' ? [] : [{ groupId: server.firewallGroup }] };
}

function ipType(server: Server): string {
  return server.publicAddress === '' ? 'none' : 'static';
}

/** A server's state as all answers write it. */
export function stateFields(server: Server): XmlFields {
  return { code: STATE_CODES[server.state], name: server.state };
}

/**
 * The common global network and the private one, each where the server has an address; a private LAN also without one, since only
 * the guest may know it (nifcloud-api.md §11 no. 15). `deviceIndex` is 0 for both (recorded). Only private LANs have names.
 */
function networkInterfaces(server: Server, world: World): readonly XmlFields[] {
  const { privateAddress, publicAddress, privateNetworkId } = server;
  const networks: XmlFields[] = [];
  if (publicAddress !== '') {
    networks.push(
      networkInterface(server, {
        niftyNetworkId: COMMON_NETWORKS.global,
        association: {
          publicIp: publicAddress,
          publicDnsName: publicAddress,
          publicIpV6: undefined,
          ipOwnerId: undefined,
        },
      }),
    );
  }
  const lan = world.privateLans.get(privateNetworkId);
  if (privateAddress !== '' || lan !== undefined) {
    const address = {
      privateIpAddress: privateAddress,
      privateDnsName: privateAddress,
      primary: true,
      association: undefined,
    };
    networks.push(
      networkInterface(server, {
        niftyNetworkId: privateNetworkId,
        niftyNetworkName: lan?.name,
        privateIpAddress: privateAddress,
        privateDnsName: privateAddress,
        privateIpAddressesSet: { item: privateAddress === '' ? [] : [address] },
      }),
    );
  }
  return networks;
}

/** All elements of an interface, most of them empty. */
function networkInterface(server: Server, fields: XmlFields): XmlFields {
  return {
    networkInterfaceId: undefined,
    subnetId: undefined,
    vpcId: undefined,
    description: undefined,
    ownerId: undefined,
    status: undefined,
    macAddress: undefined,
    niftyNetworkId: undefined,
    niftyNetworkName: undefined,
    privateIpAddress: undefined,
    privateIpAddressV6: undefined,
    privateDnsName: undefined,
    sourceDestCheck: undefined,
    groupSet: groupSet(server),
    attachment: {
      attachmentId: undefined,
      deviceIndex: 0,
      status: undefined,
      attachTime: undefined,
      deleteOnTermination: undefined,
    },
    association: undefined,
    privateIpAddressesSet: undefined,
    multiIpAddressesSet: undefined,
    ...fields,
  };
}
