import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { startCloud } from '../raw-client.ts';
import type { Answer, RawClient } from '../raw-client.ts';

const FLEET = parseFleet(
  `
zones: [east-11, east-12]
networks:
  - { id: net-lan00001, name: lan1, zone: east-11, cidr: 10.0.0.0/24 }
  - { id: net-lan00002, name: lan2, zone: east-11, cidr: 10.0.1.0/24 }
routeTables: [{ id: rtb-aaaaaaaa }, { id: rtb-bbbbbbbb }]
routers:
  - { id: rtr-aaaaaaaa, name: router1, zone: east-11 }
  - { id: rtr-bbbbbbbb, name: router2, zone: east-11 }
groups: [{ name: group1, zone: east-11 }, { name: group2, zone: east-11 }]
servers: [{ name: a, zone: east-11 }, { name: b, zone: east-11 }]
disks: [{ id: disk1, zone: east-11 }, { id: disk2, zone: east-11 }]
`,
  'fleet',
);

/** Action, list of names, list in the answer with the element that is named, two names that exist. */
const CALLS = [
  ['DescribeAvailabilityZones', 'ZoneName', 'availabilityZoneInfo.item', 'zoneName', 'east-11', 'east-12'],
  ['DescribeInstances', 'InstanceId', 'reservationSet.item', 'instancesSet.item.0.instanceId', 'a', 'b'],
  ['DescribeRouteTables', 'RouteTableId', 'routeTableSet.item', 'routeTableId', 'rtb-aaaaaaaa', 'rtb-bbbbbbbb'],
  ['DescribeSecurityGroups', 'GroupName', 'securityGroupInfo.item', 'groupName', 'group1', 'group2'],
  ['DescribeVolumes', 'VolumeId', 'volumeSet.item', 'volumeId', 'disk1', 'disk2'],
  ['NiftyDescribePrivateLans', 'NetworkId', 'privateLanSet.item', 'networkId', 'net-lan00001', 'net-lan00002'],
  ['NiftyDescribePrivateLans', 'PrivateLanName', 'privateLanSet.item', 'privateLanName', 'lan1', 'lan2'],
  ['NiftyDescribeRouters', 'RouterId', 'routerSet.item', 'routerId', 'rtr-aaaaaaaa', 'rtr-bbbbbbbb'],
  ['NiftyDescribeRouters', 'RouterName', 'routerSet.item', 'routerName', 'router1', 'router2'],
] as const;

describe('the names of a describe call', () => {
  let simulator: Simulator;
  let client: RawClient;

  async function start(switches: string): Promise<void> {
    ({ simulator, client } = await startCloud({ fleet: FLEET, switches }));
  }
  afterEach(() => simulator.stop());

  for (const [action, list, path, key, first, second] of CALLS) {
    const named = (...names: readonly string[]): Promise<Answer> =>
      client.call(action, Object.fromEntries(names.map((name, at) => [`${list}.${at + 1}`, name])));

    describe(`${list} of ${action}`, () => {
      it('ask for things, each once', async () => {
        await start('');
        expect((await named(second, first, second)).each(path, key)).to.have.members([first, second]);
      });

      it('refuse the call as a whole when one is unknown', async () => {
        await start('');
        expect((await named(first, 'nobody')).code).to.match(/^Client\.InvalidParameterNotFound\./);
      });

      it('are left out when they are unknown, with unknown-names=skip, unless none is known', async () => {
        await start('unknown-names=skip');
        expect((await named('nobody', second)).each(path, key)).to.deep.equal([second]);
        expect((await named('nobody')).code).to.match(/^Client\.InvalidParameterNotFound\./);
      });

      it('ask for everything when they are not sent, or empty', async () => {
        await start('');
        for (const parameters of [{}, { [list]: '' }, { [`${list}.1`]: '' }]) {
          expect((await client.done(action, parameters)).each(path, key)).to.deep.equal([first, second]);
        }
      });

      it('ask for nothing when they are sent empty, with empty-names=none', async () => {
        await start('empty-names=none');
        for (const parameters of [{ [list]: '' }, { [`${list}.1`]: '', [`${list}.2`]: '' }]) {
          expect((await client.done(action, parameters)).at(path)).to.equal(undefined);
        }
        expect((await client.done(action)).each(path, key)).to.deep.equal([first, second]);
        expect((await named('', second)).each(path, key)).to.deep.equal([second]);
      });
    });
  }

  it('find regions by their short names, and filters narrow them', async () => {
    await start('unknown-names=skip');
    const all = await client.done('DescribeRegions');
    expect(all.each('regionInfo.item', 'regionName')).to.have.length(7);
    expect(all.each('regionInfo.item', 'isDefault').filter((text) => text === 'true')).to.have.length(1);
    const some = { 'RegionName.1': 'jp-west-2', 'RegionName.2': 'mars', 'RegionName.3': 'east-1' };
    expect((await client.done('DescribeRegions', some)).each('regionInfo.item', 'regionName')).to.deep.equal([
      'jp-west-2',
      'east-1',
    ]);
    for (const filter of [
      { 'Filter.1.Name': 'region-name', 'Filter.1.Value.1': 'east-1' },
      { 'Filter.1.Name': 'endpoint', 'Filter.1.Value.1': 'jp-east-1.computing.api.nifcloud.com' },
    ]) {
      const found = await client.done('DescribeRegions', { ...some, ...filter });
      expect(found.each('regionInfo.item', 'regionName')).to.deep.equal(['east-1']);
    }
  });
});
