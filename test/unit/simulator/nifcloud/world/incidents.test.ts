import { expect } from 'chai';
import { UsageError } from '../../../../../daemon/flags.ts';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { ServerState } from '../../../../../simulator/nifcloud/world/servers.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';
import { RecordingHosts } from '../recording-hosts.ts';

const FLEET = parseFleet(
  `
zones: [east-11]
groups:
  - { name: nodes, zone: east-11 }
servers:
  - { name: a, uniqueId: i-aaaaaaaa, zone: east-11, firewallGroup: nodes, privateAddress: 127.0.0.1 }
  - { name: b, uniqueId: i-bbbbbbbb, zone: east-11 }
  - { name: off, uniqueId: i-00000000, zone: east-11, state: stopped }
`,
  'fleet',
);

describe('incidents', () => {
  let clock: FakeClock;
  let hosts: RecordingHosts;
  let simulator: Simulator;
  let client: RawClient;

  beforeEach(async () => {
    clock = new FakeClock();
    hosts = new RecordingHosts();
    ({ simulator, client } = await startCloud({ clock, hosts, fleet: FLEET }));
    hosts.done.length = 0;
  });
  afterEach(() => simulator.stop());

  const state = (name: string): unknown => simulator.state().servers.find((server) => server.name === name)?.state;
  const disk = (id: string): unknown => {
    const volume = simulator.state().volumes.find((one) => one.id === id);
    return [volume?.status, volume?.sizeGB, volume?.attachment?.serverName, volume?.transition];
  };
  const make = async (id: string, server = 'a'): Promise<void> => {
    await client.done('CreateVolume', { VolumeId: id, Size: 100, InstanceId: server });
    await clock.advance(3000);
  };

  it('start and stop servers by way of pending', async () => {
    await simulator.incidents.start('off');
    await simulator.incidents.stop('a', { force: true });
    expect([state('off'), state('a')]).to.deep.equal(['pending', 'pending']);
    await clock.advance(3000);
    expect([state('off'), state('a')]).to.deep.equal(['running', 'stopped']);
    expect(hosts.done).to.deep.equal(['on i-00000000', 'cut i-aaaaaaaa']);
    await simulator.incidents.start('off');
    await simulator.incidents.stop('a', { force: false });
    expect([state('off'), state('a')]).to.deep.equal(['running', 'stopped']);
  });

  it('crash a server at once, which keeps its disks', async () => {
    await make('disk1');
    await simulator.incidents.crash('a');
    expect(state('a')).to.equal('stopped');
    expect(hosts.done.at(-1)).to.equal('cut i-aaaaaaaa');
    expect(disk('disk1')).to.deep.equal(['in-use', 100, 'a', null]);
  });

  it('crash a server that is starting, which does not run after all', async () => {
    await client.done('StartInstances', { 'InstanceId.1': 'off' });
    await simulator.incidents.crash('off');
    await clock.advance(10_000);
    expect(state('off')).to.equal('stopped');
    expect(hosts.done).to.deep.equal(['cut i-00000000']);
  });

  it('crash a server whose machine is just booting', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    hosts.slow = { what: 'on', until: promise };
    await client.done('StartInstances', { 'InstanceId.1': 'off' });
    await clock.advance(3000);
    expect(hosts.done).to.deep.equal(['on i-00000000']);
    await simulator.incidents.crash('off');
    resolve();
    await clock.advance(3000);
    expect(state('off')).to.equal('stopped');
  });

  it('rename servers and disks in use', async () => {
    await make('disk1');
    await simulator.incidents.rename('a', 'renamed');
    await simulator.incidents.renameVolume('disk1', 'other');
    expect(disk('other')).to.deep.equal(['in-use', 100, 'renamed', null]);
    expect((await client.call('DescribeVolumes', { 'VolumeId.1': 'disk1' })).code).to.equal(
      'Client.InvalidParameterNotFound.Volume',
    );
    await client.done('DetachVolume', { VolumeId: 'other', InstanceId: 'renamed', Agreement: 'true' });
  });

  it('remove a server with its memberships; its disks become available', async () => {
    await make('disk1');
    const ports = { LoadBalancerPort: 8080, InstancePort: 30_080 };
    await client.done('CreateLoadBalancer', {
      LoadBalancerName: 'lb1',
      'Listeners.member.1.LoadBalancerPort': ports.LoadBalancerPort,
      'Listeners.member.1.InstancePort': ports.InstancePort,
    });
    await client.done('RegisterInstancesWithLoadBalancer', {
      LoadBalancerName: 'lb1',
      ...ports,
      'Instances.member.1.InstanceId': 'a',
      'Instances.member.2.InstanceId': 'b',
    });
    await simulator.incidents.remove('a');
    expect((await client.call('DescribeInstances', { 'InstanceId.1': 'a' })).code).to.equal(
      'Client.InvalidParameterNotFound.Instance',
    );
    expect(disk('disk1')).to.deep.equal(['available', 100, undefined, null]);
    const targets = simulator.state().loadBalancers[0]?.ports[0]?.targets;
    expect(targets?.map(({ serverName }) => serverName)).to.deep.equal(['b']);
    const groups = await client.done('DescribeSecurityGroups');
    expect(groups.at('securityGroupInfo.item.0.instancesSet')).to.equal('');
    expect(hosts.done.at(-1)).to.equal('remove i-aaaaaaaa');
    await client.done('AttachVolume', { VolumeId: 'disk1', InstanceId: 'b' });
    await clock.advance(3000);
    expect(disk('disk1')).to.deep.equal(['in-use', 100, 'b', null]);
  });

  it('remove a server in the middle of everything, and leave no disk in the middle of anything', async () => {
    for (const id of ['attaching', 'detaching', 'growing']) await make(id);
    await client.done('DetachVolume', { VolumeId: 'attaching', Agreement: 'true' });
    await clock.advance(3000);
    await client.done('CreateVolume', { VolumeId: 'creating', Size: 100, InstanceId: 'a' });
    await client.done('AttachVolume', { VolumeId: 'attaching', InstanceId: 'a' });
    await client.done('DetachVolume', { VolumeId: 'detaching', Agreement: 'true' });
    await client.done('ExtendVolumeSize', { VolumeId: 'growing', NiftyReboot: 'true' });
    await simulator.incidents.remove('a');
    await clock.advance(3000);
    expect(disk('creating')).to.deep.equal(['available', 100, undefined, null]);
    expect(disk('attaching')).to.deep.equal(['available', 100, undefined, null]);
    expect(disk('detaching')).to.deep.equal(['available', 100, undefined, null]);
    expect(disk('growing')).to.deep.equal(['available', 200, undefined, null]);
  });

  for (const [kind, what] of [
    ['create', 'create'],
    ['attach', 'attach'],
    ['detach', 'detach'],
    ['extend', 'grow'],
  ] as const) {
    it(`remove a server while its host is at work on ${kind}, and leave the disk whole`, async () => {
      if (kind !== 'create') await make('disk1');
      if (kind === 'attach') {
        await client.done('DetachVolume', { VolumeId: 'disk1', Agreement: 'true' });
        await clock.advance(3000);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      hosts.slow = { what, until: promise };
      if (kind === 'create') await client.done('CreateVolume', { VolumeId: 'disk1', Size: 100, InstanceId: 'a' });
      if (kind === 'attach') await client.done('AttachVolume', { VolumeId: 'disk1', InstanceId: 'a' });
      if (kind === 'detach') await client.done('DetachVolume', { VolumeId: 'disk1', Agreement: 'true' });
      if (kind === 'extend') await client.done('ExtendVolumeSize', { VolumeId: 'disk1', NiftyReboot: 'false' });
      await clock.advance(3000);
      await simulator.incidents.remove('a');
      resolve();
      await clock.advance(3000);
      expect(disk('disk1')).to.deep.equal(['available', kind === 'extend' ? 200 : 100, undefined, null]);
    });
  }

  it('set what the cloud says of a server, for good', async () => {
    await client.done('StopInstances', { 'InstanceId.1': 'a' });
    for (const wanted of ['pending', 'warning', 'stopped', 'running'] as const) {
      await simulator.incidents.setState('a', wanted);
      await clock.advance(10_000);
      expect(state('a')).to.equal(wanted);
    }
    expect(hosts.done).to.deep.equal([]);
  });

  for (const [what, happen, allowed] of [
    ['start of no server', (all) => all.start('nobody'), 'a, b, off'],
    ['start of a pending server', (all) => all.start('b'), 'not pending'],
    ['stop of a pending server', (all) => all.stop('b', { force: false }), 'not pending'],
    ['crash of no server', (all) => all.crash('nobody'), 'a, b, off'],
    ['rename to a used name', (all) => all.rename('a', 'off'), 'no server has'],
    ['rename to no name', (all) => all.rename('a', 'no-hyphens'), 'letters and digits'],
    ['removal of no server', (all) => all.remove('nobody'), 'a, b, off'],
    ['unknown state', (all) => all.setState('a', 'molten' as ServerState), 'running, stopped, pending, warning'],
    ['rename of no disk', (all) => all.renameVolume('nothing', 'x'), 'disk1'],
    ['rename of a disk to a used name', (all) => all.renameVolume('disk1', 'disk2'), 'no disk has'],
    ['rename of a disk to no name', (all) => all.renameVolume('disk1', ''), 'letters and digits'],
  ] as readonly (readonly [string, (all: Simulator['incidents']) => Promise<void>, string])[]) {
    it(`refuse ${what}, saying what is allowed`, async () => {
      await make('disk1');
      await make('disk2');
      await simulator.incidents.setState('b', 'pending');
      const before = simulator.state();
      const failure: unknown = await happen(simulator.incidents).catch((error: unknown) => error);
      expect(failure).to.be.an.instanceOf(UsageError);
      expect((failure as Error).message).to.include(allowed);
      expect(simulator.state()).to.deep.equal(before);
    });
  }
});
