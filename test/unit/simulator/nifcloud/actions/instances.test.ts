import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';
import { missingElements, sheetElements } from '../sheet-tree.ts';

const FLEET = `
region: jp-east-1
zones: [east-11, east-12]
groups:
  - { name: nodes11, zone: east-11, description: of the first zone }
  - { name: default(Linux), zone: east-12 }
servers:
  - { name: node01, uniqueId: i-0k843qvm, zone: east-11, type: c2-small, privateAddress: 127.11.0.1, publicAddress: 127.21.0.1, firewallGroup: nodes11 }
  - { name: node02, uniqueId: i-abcd1234, zone: east-12, state: stopped }
  - { name: node03, uniqueId: i-abcd1235, zone: east-12, state: pending }
  - { name: node04, uniqueId: i-abcd1236, zone: east-11, privateAddress: 192.168.7.4, privateNetwork: lan1, state: warning, description: on a LAN }
networks:
  - { id: net-0abc1def, name: lan1, zone: east-11, cidr: 192.168.7.0/24 }
`;

describe('servers', () => {
  let simulator: Simulator;
  let client: RawClient;
  const clock = new FakeClock(Date.UTC(2025, 0, 2, 3, 4, 5));

  before(async () => {
    ({ simulator, client } = await startCloud({ clock, fleet: parseFleet(FLEET, 'fleet.yaml') }));
  });
  after(() => simulator.stop());

  it('are described one to a reservation, with the quirks of recorded answers', async () => {
    const answer = await client.done('DescribeInstances');
    const first = 'reservationSet.item.0.instancesSet.item.0';
    expect(answer.each('reservationSet.item', 'instancesSet.item.length')).to.deep.equal([1, 1, 1, 1]);
    expect(answer.at('reservationSet.item.0.groupSet.item.0.groupId')).to.equal('nodes11');
    expect(answer.at(`${first}.instanceUniqueId`)).to.equal('i-0k843qvm');
    expect(answer.at(`${first}.instanceType`)).to.equal('c2-small');
    expect(answer.at(`${first}.placement.availabilityZone`)).to.equal('east-11');
    expect(answer.at(`${first}.privateIpAddress`)).to.equal('127.11.0.1');
    expect(answer.at(`${first}.ipAddress`)).to.equal('127.21.0.1');
    expect(answer.at(`${first}.ipType`)).to.equal('static');
    expect(answer.at(`${first}.AccountingType`)).to.equal('2');
    expect(answer.at(`${first}.launchTime`)).to.equal('2025-01-02T12:04:05.000+09:00');
    expect(answer.at(`${first}.blockDeviceMapping`)).to.equal('');
    const networks = `${first}.networkInterfaceSet.item`;
    expect(answer.each(networks, 'niftyNetworkId')).to.deep.equal(['net-COMMON_GLOBAL', 'net-COMMON_PRIVATE']);
    expect(answer.each(networks, 'attachment.deviceIndex')).to.deep.equal(['0', '0']);
  });

  it('show their private LAN by id and name, the common networks by id alone', async () => {
    const answer = await client.done('DescribeInstances', { 'InstanceId.1': 'node04' });
    const first = 'reservationSet.item.0.instancesSet.item.0';
    expect(answer.at(`${first}.niftyPrivateNetworkType`)).to.equal('PRIVATE_LAN');
    expect(answer.at(`${first}.networkInterfaceSet.item.0.niftyNetworkId`)).to.equal('net-0abc1def');
    expect(answer.at(`${first}.networkInterfaceSet.item.0.niftyNetworkName`)).to.equal('lan1');
    expect(answer.at(`${first}.description`)).to.equal('on a LAN');
    const common = await client.done('DescribeInstances', { 'InstanceId.1': 'node01' });
    expect(common.each(`${first}.networkInterfaceSet.item`, 'niftyNetworkName')).to.deep.equal(['', '']);
    expect(common.at(`${first}.niftyPrivateNetworkType`)).to.equal('STANDARD');
  });

  it('show their states by code and name', async () => {
    const answer = await client.done('DescribeInstances');
    const states = [0, 1, 2, 3].map((index) => {
      const state = `reservationSet.item.${index}.instancesSet.item.0.instanceState`;
      return [answer.at(`${state}.code`), answer.at(`${state}.name`)];
    });
    expect(states).to.deep.equal([
      ['16', 'running'],
      ['80', 'stopped'],
      ['0', 'pending'],
      ['16', 'warning'],
    ]);
  });

  it('are found by name; one unknown name refuses the call as a whole', async () => {
    const found = await client.done('DescribeInstances', { 'InstanceId.1': 'node02' });
    expect(found.each('reservationSet.item', 'instancesSet.item.0.instanceId')).to.deep.equal(['node02']);
    const mixed = await client.call('DescribeInstances', { 'InstanceId.1': 'node02', 'InstanceId.2': 'nobody' });
    expect(mixed.code).to.equal('Client.InvalidParameterNotFound.Instance');
    const byUniqueId = await client.call('DescribeInstances', { 'InstanceId.1': 'i-0k843qvm' });
    expect(byUniqueId.code).to.equal('Client.InvalidParameterNotFound.Instance');
  });

  it('list their disks by device, with a blank, in DescribeInstanceAttribute alone', async () => {
    await client.done('CreateVolume', { VolumeId: 'disk1', Size: 100, InstanceId: 'node01' });
    const ask = { InstanceId: 'node01', Attribute: 'blockDeviceMapping' };
    expect((await client.done('DescribeInstanceAttribute', ask)).at('blockDeviceMapping')).to.equal('');
    await clock.advance(3000);
    const answer = await client.done('DescribeInstanceAttribute', ask);
    const volume = simulator.state().volumes.find(({ id }) => id === 'disk1');
    expect(answer.at('instanceUniqueId')).to.equal('i-0k843qvm');
    expect(answer.at('blockDeviceMapping.item.0')).to.deep.equal({
      deviceName: 'SCSI (0:1)',
      ebs: {
        volumeId: 'disk1',
        volumeUniqueId: volume?.uniqueId,
        status: 'attached',
        attachTime: '2025-01-02T12:04:05.000+09:00',
        deleteOnTermination: 'false',
      },
    });
  });

  for (const [attribute, path, value] of [
    ['instanceType', 'instanceType.value', 'c2-small'],
    ['ipType', 'ipType.value', 'static'],
    ['groupId', 'groupId.value', 'nodes11'],
    ['networkInterfaceSet', 'networkInterfaceSet.item.0.association.publicIp', '127.21.0.1'],
  ] as const) {
    it(`answer for the attribute ${attribute} alone`, async () => {
      const answer = await client.done('DescribeInstanceAttribute', { InstanceId: 'node01', Attribute: attribute });
      expect(answer.at(path)).to.equal(value);
      expect(answer.at('blockDeviceMapping')).to.equal(undefined);
    });
  }

  for (const [parameters, code] of [
    [{ Attribute: 'ipType' }, 'Client.InvalidParameterRequired.InstanceId'],
    [{ InstanceId: 'nobody', Attribute: 'ipType' }, 'Client.InvalidParameterNotFound.Instance'],
    [{ InstanceId: 'node01', Attribute: 'color' }, 'Client.InvalidParameterIllegalInput.Attribute'],
    [{ InstanceId: 'node01' }, 'Client.InvalidParameterIllegalInput.Attribute'],
  ] as const) {
    it(`refuse DescribeInstanceAttribute of ${JSON.stringify(parameters)}`, async () => {
      expect((await client.call('DescribeInstanceAttribute', parameters)).code).to.equal(code);
    });
  }

  it('have every element that the sheet lists, but for a time that is not set', async () => {
    await client.done('CreateVolume', { VolumeId: 'other', Size: 100, InstanceId: 'node02' });
    await clock.advance(3000);
    const elements = await sheetElements('DescribeInstances');
    expect(elements).to.include('reservationset.item.instancesset.item.networkinterfaceset.item.association.publicip');
    const answer = await client.done('DescribeInstances');
    expect(missingElements(answer.root, elements)).to.deep.equal([
      'reservationset.item.instancesset.item.autoscaling.expiretime',
    ]);
    const ofOne = await sheetElements('DescribeInstanceAttribute');
    for (const [attribute, element] of [
      ['blockDeviceMapping', 'blockdevicemapping'],
      ['networkInterfaceSet', 'networkinterfaceset'],
      ['description', 'description'],
    ] as const) {
      const asked = { InstanceId: attribute === 'blockDeviceMapping' ? 'node02' : 'node01', Attribute: attribute };
      const wanted = ofOne.filter((path) => path.split('.')[0] === element);
      expect(wanted).to.include(element);
      expect(missingElements((await client.done('DescribeInstanceAttribute', asked)).root, wanted)).to.deep.equal([]);
    }
  });

  it('belong to the firewall groups of the fleet', async () => {
    const all = await client.done('DescribeSecurityGroups');
    expect(all.each('securityGroupInfo.item', 'groupName')).to.deep.equal(['nodes11', 'default(Linux)']);
    expect(all.each('securityGroupInfo.item', 'availabilityZone')).to.deep.equal(['east-11', 'east-12']);
    expect(all.each('securityGroupInfo.item', 'groupStatus')).to.deep.equal(['applied', 'applied']);
    expect(all.at('securityGroupInfo.item.0.instancesSet.item.0.instanceId')).to.equal('node01');
    const filter = { 'Filter.1.Name': 'group-name', 'Filter.1.Value.1': 'default' };
    const filtered = await client.done('DescribeSecurityGroups', filter);
    expect(filtered.each('securityGroupInfo.item', 'groupName')).to.deep.equal(['default(Linux)']);
    expect((await client.call('DescribeSecurityGroups', { 'GroupName.1': 'nobody' })).code).to.equal(
      'Client.InvalidParameterNotFound.SecurityGroup',
    );
  });

  it('live in the zones of the fleet', async () => {
    const zones = await client.done('DescribeAvailabilityZones');
    expect(zones.each('availabilityZoneInfo.item', 'zoneName')).to.deep.equal(['east-11', 'east-12']);
    expect(zones.each('availabilityZoneInfo.item', 'isDefault')).to.deep.equal(['true', 'false']);
    expect((await client.call('DescribeAvailabilityZones', { 'ZoneName.1': 'east-13' })).code).to.equal(
      'Client.InvalidParameterNotFound.AvailabilityZone',
    );
    const regions = await client.done('DescribeRegions', { 'RegionName.1': 'east-1', 'RegionName.2': 'jp-west-2' });
    expect(regions.each('regionInfo.item', 'regionEndpoint')).to.deep.equal([
      'jp-east-1.computing.api.nifcloud.com',
      'jp-west-2.computing.api.nifcloud.com',
    ]);
    expect((await client.call('DescribeRegions', { 'RegionName.1': 'mars' })).code).to.equal(
      'Client.InvalidParameterNotFound.Region',
    );
  });
});
