import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator, SimulatorOptions } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';
import { RecordingHosts } from '../recording-hosts.ts';

const FLEET = parseFleet(
  `
zones: [east-11, east-12]
groups:
  - { name: first, zone: east-11 }
  - { name: second, zone: east-11 }
  - { name: far, zone: east-12 }
servers:
  - { name: up, uniqueId: i-aaaaaaaa, zone: east-11, firewallGroup: first }
  - { name: off, uniqueId: i-00000000, zone: east-11, state: stopped }
  - { name: ill, uniqueId: i-22222222, zone: east-11, state: warning }
  - { name: busy, uniqueId: i-11111111, zone: east-11, state: pending }
`,
  'fleet',
);

describe('the power of servers', () => {
  let clock: FakeClock;
  let hosts: RecordingHosts;
  let simulator: Simulator;
  let client: RawClient;

  async function start(options: SimulatorOptions = {}): Promise<void> {
    clock = new FakeClock();
    hosts = new RecordingHosts();
    ({ simulator, client } = await startCloud({ clock, hosts, fleet: FLEET, transition: 'power=3s', ...options }));
    hosts.done.length = 0;
  }

  beforeEach(() => start());
  afterEach(() => simulator.stop());

  async function state(name: string): Promise<readonly unknown[]> {
    const answer = await client.done('DescribeInstances', { 'InstanceId.1': name });
    const at = 'reservationSet.item.0.instancesSet.item.0.instanceState';
    return [answer.at(`${at}.code`), answer.at(`${at}.name`)];
  }

  const modify = (Attribute: string, Value: string, more: Record<string, string> = {}, InstanceId = 'up') =>
    client.call('ModifyInstanceAttribute', { InstanceId, Attribute, Value, ...more });

  it('starts a stopped one by way of pending, and boots its machine', async () => {
    const answer = await client.done('StartInstances', { 'InstanceId.1': 'off' });
    expect(answer.at('instancesSet.item')).to.deep.equal([
      {
        instanceId: 'off',
        instanceUniqueId: 'i-00000000',
        currentState: { code: '0', name: 'pending' },
        previousState: { code: '80', name: 'stopped' },
        tenancy: 'default',
      },
    ]);
    await clock.advance(2999);
    expect(await state('off')).to.deep.equal(['0', 'pending']);
    expect(hosts.done).to.deep.equal([]);
    await clock.advance(1);
    expect(await state('off')).to.deep.equal(['16', 'running']);
    expect(hosts.done).to.deep.equal(['on i-00000000']);
  });

  for (const [parameters, off] of [
    [{}, 'shut down'],
    [{ Force: 'true' }, 'cut'],
  ] as const) {
    it(`stops a running one by way of pending, its machine being ${off}, for ${JSON.stringify(parameters)}`, async () => {
      const answer = await client.done('StopInstances', { 'InstanceId.1': 'up', 'InstanceId.2': 'ill', ...parameters });
      expect(answer.each('instancesSet.item', 'previousState.name')).to.deep.equal(['running', 'warning']);
      expect(answer.each('instancesSet.item', 'currentState.code')).to.deep.equal(['0', '0']);
      expect(await state('up')).to.deep.equal(['0', 'pending']);
      await clock.advance(3000);
      expect(await state('up')).to.deep.equal(['80', 'stopped']);
      expect(hosts.done).to.deep.equal([`${off} i-aaaaaaaa`, `${off} i-22222222`]);
    });

    it(`reboots one, its machine being ${off} and on again, for ${JSON.stringify(parameters)}`, async () => {
      expect((await client.done('RebootInstances', { 'InstanceId.1': 'ill', ...parameters })).at('return')).to.equal(
        'true',
      );
      expect(await state('ill')).to.deep.equal(['0', 'pending']);
      await clock.advance(3000);
      expect(await state('ill')).to.deep.equal(['16', 'running']);
      expect(hosts.done).to.deep.equal([`${off} i-22222222`, 'on i-22222222']);
    });
  }

  it('starts each server with the type and the accounting at its place', async () => {
    await client.done('StopInstances', { 'InstanceId.1': 'up' });
    await clock.advance(3000);
    await client.done('StartInstances', {
      'InstanceId.1': 'off',
      'InstanceId.2': 'up',
      'InstanceType.2': 'c2-large',
      'AccountingType.1': '1',
      UserData: 'IyEvYmluL3No',
      'UserData.Encoding': 'base64',
      NiftyIsBios: 'false',
      'Tenancy.1': 'default',
    });
    const servers = new Map(simulator.state().servers.map((server) => [server.name, server]));
    expect(['off', 'up'].map((name) => servers.get(name)?.type)).to.deep.equal(['e-medium', 'c2-large']);
    expect(['off', 'up'].map((name) => servers.get(name)?.nextMonthAccountingType)).to.deep.equal(['1', '2']);
  });

  it('changes nothing of one that is there already', async () => {
    const started = await client.done('StartInstances', { 'InstanceId.1': 'up', 'InstanceType.1': 'mini' });
    expect(started.at('instancesSet.item.0.currentState')).to.deep.equal({ code: '16', name: 'running' });
    const stopped = await client.done('StopInstances', { 'InstanceId.1': 'off' });
    expect(stopped.at('instancesSet.item.0.currentState')).to.deep.equal({ code: '80', name: 'stopped' });
    expect(simulator.state().servers[0]?.type).to.equal('e-medium');
    await clock.advance(3000);
    expect(hosts.done).to.deep.equal([]);
  });

  it('refuses what is there already when the switch says so', async () => {
    await simulator.stop();
    await start({ switches: 'same-power-state=refuse' });
    const started = await client.call('StartInstances', { 'InstanceId.1': 'off', 'InstanceId.2': 'up' });
    expect(started.code).to.equal('Client.Inoperable.Instance.Running');
    const stopped = await client.call('StopInstances', { 'InstanceId.1': 'up', 'InstanceId.2': 'off' });
    expect(stopped.code).to.equal('Client.Inoperable.Instance.Stopped');
    expect(simulator.state().servers.map((server) => server.state)).to.deep.equal([
      'running',
      'stopped',
      'warning',
      'pending',
    ]);
  });

  for (const [action, parameters, code] of [
    ['StartInstances', {}, 'Client.InvalidParameterRequired.InstanceId'],
    ['StartInstances', { 'InstanceId.1': 'off', 'InstanceId.2': 'nobody' }, 'Client.InvalidParameterNotFound.Instance'],
    ['StartInstances', { 'InstanceId.1': 'i-00000000' }, 'Client.InvalidParameterNotFound.Instance'],
    ['StartInstances', { 'InstanceId.1': 'off', 'Tenancy.1': 'dedicated' }, 'Client.InvalidParameterNotFound.Instance'],
    ['StartInstances', { 'InstanceId.1': 'busy' }, 'Server.ResourceIncorrectState.Instance.Processing'],
    [
      'StartInstances',
      { 'InstanceId.1': 'off', NiftyIsBios: 'true' },
      'Client.InvalidParameterIllegalInput.NiftyIsBios',
    ],
    [
      'StartInstances',
      { 'InstanceId.1': 'off', 'InstanceType.1': 'Huge!' },
      'Client.InvalidParameterIllegalInput.InstanceType',
    ],
    ['StopInstances', { 'InstanceId.1': 'up', Force: 'yes' }, 'Client.InvalidParameterIllegalInput.Force'],
    [
      'StopInstances',
      { 'InstanceId.1': 'up', 'InstanceId.2': 'busy' },
      'Server.ResourceIncorrectState.Instance.Processing',
    ],
    ['RebootInstances', { 'InstanceId.1': 'up', 'InstanceId.2': 'off' }, 'Client.Inoperable.Instance.Stopped'],
  ] as const) {
    it(`is not changed by ${action} of ${JSON.stringify(parameters)}`, async () => {
      const before = simulator.state();
      expect((await client.call(action, parameters)).code).to.equal(code);
      expect(simulator.state()).to.deep.equal(before);
    });
  }

  it('in transition keeps disks from being made, attached and pulled out', async () => {
    await client.done('CreateVolume', { VolumeId: 'disk1', Size: 100, InstanceId: 'up' });
    await clock.advance(3000);
    await client.done('StopInstances', { 'InstanceId.1': 'up' });
    for (const [action, parameters] of [
      ['CreateVolume', { Size: 100, InstanceId: 'up' }],
      ['DetachVolume', { VolumeId: 'disk1', Agreement: 'true' }],
      ['StartInstances', { 'InstanceId.1': 'up' }],
    ] as const) {
      expect((await client.call(action, parameters)).code).to.equal(
        'Server.ResourceIncorrectState.Instance.Processing',
      );
    }
  });

  it('stays pending when the machine fails', async () => {
    hosts.failing = 'on';
    await client.done('StartInstances', { 'InstanceId.1': 'off' });
    await clock.advance(60_000);
    expect(await state('off')).to.deep.equal(['0', 'pending']);
  });

  describe('and ModifyInstanceAttribute', () => {
    it('changes the name, the description and the accounting of a running server at once', async () => {
      expect((await modify('description', 'mine')).at('return')).to.equal('true');
      expect((await modify('accountingType', '1')).status).to.equal(200);
      expect((await modify('instanceName', 'renamed')).status).to.equal(200);
      const item = 'reservationSet.item.0.instancesSet.item.0';
      const answer = await client.done('DescribeInstances', { 'InstanceId.1': 'renamed' });
      const paths = [
        'instanceUniqueId',
        'description',
        'AccountingType',
        'nextMonthAccountingType',
        'instanceState.name',
      ];
      expect(paths.map((path) => answer.at(`${item}.${path}`))).to.deep.equal([
        'i-aaaaaaaa',
        'mine',
        '2',
        '1',
        'running',
      ]);
      expect((await client.call('DescribeInstances', { 'InstanceId.1': 'up' })).code).to.equal(
        'Client.InvalidParameterNotFound.Instance',
      );
    });

    it('changes the group, which is processing then', async () => {
      expect((await modify('groupId', 'second')).status).to.equal(200);
      const { servers, firewallGroups } = simulator.state();
      expect(servers[0]?.firewallGroup).to.equal('second');
      expect(firewallGroups.filter(({ transition }) => transition !== undefined).map(({ name }) => name)).to.deep.equal(
        ['second'],
      );
    });

    it('changes the type of a stopped server at once, and reboots a running one for it', async () => {
      expect((await modify('instanceType', 'c2-large', {}, 'off')).status).to.equal(200);
      expect((await modify('instanceType', 'c2-large', { NiftyReboot: 'force' })).status).to.equal(200);
      expect(await state('off')).to.deep.equal(['80', 'stopped']);
      expect(await state('up')).to.deep.equal(['0', 'pending']);
      await clock.advance(3000);
      expect(await state('up')).to.deep.equal(['16', 'running']);
      expect(
        simulator
          .state()
          .servers.map(({ type }) => type)
          .slice(0, 2),
      ).to.deep.equal(['c2-large', 'c2-large']);
      expect(hosts.done).to.deep.equal(['cut i-aaaaaaaa', 'on i-aaaaaaaa']);
    });

    for (const [attribute, value, more, code] of [
      ['instanceName', 'off', {}, 'Client.InvalidParameterDuplicate.Instance'],
      ['instanceName', 'no-hyphens', {}, 'Client.InvalidParameterIllegalInput.Value'],
      ['instanceType', 'c2-large', { NiftyReboot: 'false' }, 'Client.Inoperable.Instance.Running'],
      ['instanceType', '', {}, 'Client.InvalidParameterRequired.Value'],
      ['accountingType', '3', {}, 'Client.InvalidParameterIllegalInput.Value'],
      ['groupId', 'nobody', {}, 'Client.InvalidParameterNotFound.SecurityGroup'],
      ['groupId', 'far', {}, 'Client.Inoperable.SecurityGroup.DifferentZone'],
      ['ipType', 'none', {}, 'Client.InvalidParameterIllegalInput.Attribute'],
      ['disableApiTermination', 'true', {}, 'Client.InvalidParameterIllegalInput.Attribute'],
      ['color', 'red', {}, 'Client.InvalidParameterIllegalInput.Attribute'],
      ['description', 'x', { InstanceId: 'nobody' }, 'Client.InvalidParameterNotFound.Instance'],
      ['description', 'x', { InstanceId: 'busy' }, 'Server.ResourceIncorrectState.Instance.Processing'],
      ['description', 'x', { Tenancy: 'dedicated' }, 'Client.InvalidParameterIllegalInput.Tenancy'],
    ] as const) {
      it(`is refused for ${attribute}=${value} ${JSON.stringify(more)}`, async () => {
        const before = simulator.state();
        expect((await modify(attribute, value, more)).code).to.equal(code);
        expect(simulator.state()).to.deep.equal(before);
      });
    }
  });
});
