import { expect } from 'chai';
import { UsageError } from '../../../../../daemon/flags.ts';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator, SimulatorOptions } from '../../../../../simulator/nifcloud/simulator.ts';
import { parseTransitionTimes } from '../../../../../simulator/nifcloud/world/transition.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { Answer, RawClient } from '../raw-client.ts';
import { RecordingHosts } from '../recording-hosts.ts';

const FLEET = parseFleet(
  `
zones: [east-11, east-12]
servers:
  - { name: a, uniqueId: i-aaaaaaaa, zone: east-11 }
  - { name: b, uniqueId: i-bbbbbbbb, zone: east-11 }
  - { name: far, uniqueId: i-ffffffff, zone: east-12 }
  - { name: off, uniqueId: i-00000000, zone: east-11, state: stopped }
  - { name: busy, uniqueId: i-11111111, zone: east-11, state: pending }
`,
  'fleet',
);

describe('disks', () => {
  let clock: FakeClock;
  let hosts: RecordingHosts;
  let simulator: Simulator;
  let client: RawClient;

  async function start(options: SimulatorOptions = {}): Promise<void> {
    clock = new FakeClock();
    hosts = new RecordingHosts();
    ({ simulator, client } = await startCloud({ clock, hosts, fleet: FLEET, ...options }));
    hosts.done.length = 0;
  }

  beforeEach(() => start());
  afterEach(() => simulator.stop());

  async function shown(volumeId: string): Promise<unknown[]> {
    const answer = await client.done('DescribeVolumes', { 'VolumeId.1': volumeId });
    const item = 'volumeSet.item.0';
    return ['status', 'size', 'attachmentSet.item.0.instanceId', 'attachmentSet.item.0.status']
      .map((path) => answer.at(`${item}.${path}`))
      .filter((text) => text !== undefined);
  }

  async function make(volumeId: string, server = 'a'): Promise<Answer> {
    const answer = await client.done('CreateVolume', { VolumeId: volumeId, Size: 100, InstanceId: server });
    await clock.advance(3000);
    return answer;
  }

  /** What calls are refused with while another disk of their server is in transition: a create, an extend, an attach; the last is of a disk of no server. */
  async function codesMeanwhile(): Promise<(string | undefined)[]> {
    for (const id of ['one', 'two']) await make(id);
    await client.done('DetachVolume', { VolumeId: 'one', Agreement: 'true' });
    const others: readonly [string, Record<string, string | number>][] = [
      ['CreateVolume', { Size: 100, InstanceId: 'a' }],
      ['ExtendVolumeSize', { VolumeId: 'two', NiftyReboot: 'false' }],
    ];
    const codes: (string | undefined)[] = [];
    for (const [action, parameters] of others) codes.push((await client.call(action, parameters)).code);
    await clock.advance(3000);
    await client.done('DetachVolume', { VolumeId: 'two', Agreement: 'true' });
    codes.push((await client.call('AttachVolume', { VolumeId: 'one', InstanceId: 'a' })).code);
    codes.push((await client.call('AttachVolume', { VolumeId: 'one', InstanceId: 'b' })).code);
    return codes;
  }

  function stateOfA(): unknown {
    return simulator.state().servers[0]?.state;
  }

  async function makeDetached(volumeId: string): Promise<void> {
    await make(volumeId);
    await client.done('DetachVolume', { VolumeId: volumeId, Agreement: 'true' });
    await clock.advance(3000);
  }

  it('are created attached to a server, and only then exist on its host', async () => {
    const answer = await client.done('CreateVolume', {
      VolumeId: 'disk1',
      Size: 200,
      InstanceId: 'a',
      DiskType: '8',
      AccountingType: '1',
      Description: 'pvc-1',
    });
    const volume = simulator.state().volumes[0];
    expect(volume?.uniqueId).to.match(/^vol-[0-9a-z]{8}$/);
    expect(answer.at('volumeUniqueId')).to.equal(volume?.uniqueId);
    for (const [path, value] of [
      ['status', 'creating'],
      ['size', '200'],
      ['volumeId', 'disk1'],
      ['availabilityZone', 'east-11'],
      ['diskType', 'High-Speed Flash Storage A'],
      ['accountingType', '1'],
      ['description', 'pvc-1'],
      ['snapshotId', ''],
    ]) {
      expect(answer.at(path ?? ''), path).to.equal(value);
    }
    expect(await shown('disk1')).to.deep.equal(['creating', '200']);
    await clock.advance(2999);
    expect(await shown('disk1')).to.deep.equal(['creating', '200']);
    expect(hosts.done).to.deep.equal([]);
    await clock.advance(1);
    expect(await shown('disk1')).to.deep.equal(['in-use', '200', 'a', 'attached']);
    expect(hosts.done).to.deep.equal(['create 200 GiB', 'attach i-aaaaaaaa 1']);
  });

  it('are described with both ids, and a device without a blank', async () => {
    await make('disk1');
    const item = (await client.done('DescribeVolumes')).at('volumeSet.item.0');
    const { uniqueId } = simulator.state().volumes[0]!;
    expect(item).to.deep.equal({
      volumeId: 'disk1',
      volumeUniqueId: uniqueId,
      size: '100',
      diskType: 'Standard Flash Storage A',
      snapshotId: '',
      availabilityZone: 'east-11',
      accountingType: '2',
      nextMonthAccountingType: '2',
      status: 'in-use',
      createTime: '2025-01-02T12:04:05.000+09:00',
      attachmentSet: {
        item: [
          {
            volumeId: 'disk1',
            volumeUniqueId: uniqueId,
            instanceId: 'a',
            instanceUniqueId: 'i-aaaaaaaa',
            device: 'SCSI(0:1)',
            status: 'attached',
            attachTime: '2025-01-02T12:04:05.000+09:00',
            deleteOnTermination: 'false',
          },
        ],
      },
      description: '',
    });
  });

  it('are born on a server by its unique id or its name, running or stopped', async () => {
    await client.done('CreateVolume', { VolumeId: 'x', Size: 100, InstanceUniqueId: 'i-bbbbbbbb' });
    await client.done('CreateVolume', { VolumeId: 'y', Size: 100, InstanceId: 'off' });
    expect(simulator.state().volumes.map(({ attachment }) => attachment?.serverName)).to.deep.equal(['b', 'off']);
  });

  it('without a VolumeId get a name of 8 characters', async () => {
    const answers = [1, 2].map(() => client.done('CreateVolume', { Size: 100, InstanceId: 'a' }));
    const names = (await Promise.all(answers)).map((answer) => answer.at('volumeId'));
    for (const name of names) expect(name).to.match(/^[0-9a-z]{8}$/);
    expect(new Set(names).size).to.equal(2);
  });

  for (const [size, sizeGB] of [
    [1, 100],
    [40, 4000],
    [100, 100],
    [4000, 4000],
  ] as const) {
    it(`have ${sizeGB} GB when ${size} is asked for`, async () => {
      const answer = await client.done('CreateVolume', { Size: size, InstanceId: 'a' });
      expect(answer.at('size')).to.equal(String(sizeGB));
    });
  }

  for (const [name, parameters, code] of [
    ['no size', { InstanceId: 'a' }, 'Client.InvalidParameterRequired.Size'],
    ['size 0', { InstanceId: 'a', Size: 0 }, 'Client.InvalidParameterIllegalInput.Size'],
    ['size 41', { InstanceId: 'a', Size: 41 }, 'Client.InvalidParameterIllegalInput.Size'],
    ['size 150', { InstanceId: 'a', Size: 150 }, 'Client.InvalidParameterIllegalInput.Size'],
    ['size 4100', { InstanceId: 'a', Size: 4100 }, 'Client.InvalidParameterIllegalInput.Size'],
    ['size 1e2', { InstanceId: 'a', Size: '1e2' }, 'Client.InvalidParameterIllegalInput.Size'],
    ['no server', { Size: 100 }, 'Client.InvalidParameterRequired.InstanceId'],
    [
      'two servers',
      { Size: 100, InstanceId: 'a', InstanceUniqueId: 'i-aaaaaaaa' },
      'Client.InvalidParameterIllegalInput.InstanceUniqueId',
    ],
    ['an unknown server', { Size: 100, InstanceId: 'nobody' }, 'Client.InvalidParameterNotFound.Instance'],
    ['an unknown unique id', { Size: 100, InstanceUniqueId: 'a' }, 'Client.InvalidParameterNotFound.Instance'],
    ['a server in transition', { Size: 100, InstanceId: 'busy' }, 'Server.ResourceIncorrectState.Instance.Processing'],
    [
      'a name with a hyphen',
      { Size: 100, InstanceId: 'a', VolumeId: 'pvc-1' },
      'Client.InvalidParameterIllegalInput.VolumeId',
    ],
    [
      'a name of 33 characters',
      { Size: 100, InstanceId: 'a', VolumeId: 'x'.repeat(33) },
      'Client.InvalidParameterIllegalInput.VolumeId',
    ],
    ['a used name', { Size: 100, InstanceId: 'a', VolumeId: 'used' }, 'Client.InvalidParameterDuplicate.Volume'],
    [
      'an unknown type',
      { Size: 100, InstanceId: 'a', DiskType: 'flash' },
      'Client.InvalidParameterIllegalInput.DiskType',
    ],
    [
      'an unknown accounting',
      { Size: 100, InstanceId: 'a', AccountingType: 3 },
      'Client.InvalidParameterIllegalInput.AccountingType',
    ],
    [
      'a description of 41 characters',
      { Size: 100, InstanceId: 'a', Description: 'あ'.repeat(41) },
      'Client.InvalidParameterIllegalInput.Description',
    ],
  ] as const) {
    it(`are not created with ${name}`, async () => {
      await make('used');
      expect((await client.call('CreateVolume', parameters)).code).to.equal(code);
      expect(simulator.state().volumes.map(({ id }) => id)).to.deep.equal(['used']);
    });
  }

  it('take the lowest free slot, never 7, and no more than 14 on a server', async () => {
    for (let n = 1; n <= 14; n++) await client.done('CreateVolume', { VolumeId: `d${n}`, Size: 100, InstanceId: 'a' });
    const slots = (): unknown[] => simulator.state().volumes.map(({ attachment }) => attachment?.slot);
    expect(slots()).to.deep.equal([1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect((await client.call('CreateVolume', { Size: 100, InstanceId: 'a' })).code).to.equal(
      'Client.Inoperable.Instance.VolumeLimitExceeded',
    );
    await clock.advance(3000);
    await client.done('DetachVolume', { VolumeId: 'd3', InstanceId: 'a', Agreement: 'true' });
    // The slot is free when the disk is gone, not before.
    expect((await client.call('CreateVolume', { Size: 100, InstanceId: 'a' })).code).to.equal(
      'Client.Inoperable.Instance.VolumeLimitExceeded',
    );
    await clock.advance(3000);
    await client.done('CreateVolume', { VolumeId: 'next', Size: 100, InstanceId: 'a' });
    expect(simulator.state().volumes.find(({ id }) => id === 'next')?.attachment?.slot).to.equal(3);
  });

  it('are detached, and leave the host when that is done', async () => {
    await make('disk1');
    const answer = await client.done('DetachVolume', { VolumeId: 'disk1', InstanceId: 'a', Agreement: 'true' });
    expect([answer.at('status'), answer.at('instanceUniqueId'), answer.at('device')]).to.deep.equal([
      'detaching',
      'i-aaaaaaaa',
      'SCSI(0:1)',
    ]);
    expect(await shown('disk1')).to.deep.equal(['in-use', '100', 'a', 'detaching']);
    await clock.advance(3000);
    expect(await shown('disk1')).to.deep.equal(['available', '100']);
    expect(hosts.done.at(-1)).to.equal('detach i-aaaaaaaa 1');
  });

  it('are attached to another server of the zone, and reach its host when that is done', async () => {
    await makeDetached('disk1');
    const answer = await client.done('AttachVolume', { VolumeId: 'disk1', InstanceId: 'b' });
    const paths = ['volumeId', 'volumeUniqueId', 'instanceId', 'instanceUniqueId', 'device', 'status'];
    expect(paths.map((path) => answer.at(path))).to.deep.equal([
      'disk1',
      simulator.state().volumes[0]?.uniqueId,
      'b',
      'i-bbbbbbbb',
      'SCSI(0:1)',
      'attaching',
    ]);
    expect(await shown('disk1')).to.deep.equal(['in-use', '100', 'b', 'attaching']);
    expect(hosts.done.at(-1)).to.equal('detach i-aaaaaaaa 1');
    await clock.advance(3000);
    expect(await shown('disk1')).to.deep.equal(['in-use', '100', 'b', 'attached']);
    expect(hosts.done.at(-1)).to.equal('attach i-bbbbbbbb 1');
  });

  it('grow by 100 GB a call, shown when that is done', async () => {
    await make('disk1');
    const answer = await client.done('ExtendVolumeSize', { VolumeId: 'disk1', NiftyReboot: 'false' });
    expect(answer.at('return')).to.equal('true');
    expect(await shown('disk1')).to.deep.equal(['in-use', '100', 'a', 'attaching']);
    await clock.advance(3000);
    expect(await shown('disk1')).to.deep.equal(['in-use', '200', 'a', 'attached']);
    expect(hosts.done.at(-1)).to.equal('grow 200 GiB');
  });

  for (const [how, parameters, off] of [
    ['with a reboot', { NiftyReboot: 'true' }, 'shut down'],
    ['with a forced reboot', { NiftyReboot: 'force' }, 'cut'],
    ['with a reboot where the call does not say', {}, 'shut down'],
  ] as const) {
    it(`grow ${how} of their server, which finds them grown`, async () => {
      await make('disk1');
      await client.done('ExtendVolumeSize', { VolumeId: 'disk1', ...parameters });
      expect(simulator.state().servers[0]?.state).to.equal('pending');
      await clock.advance(3000);
      expect(await shown('disk1')).to.deep.equal(['in-use', '200', 'a', 'attached']);
      expect(simulator.state().servers[0]?.state).to.equal('running');
      expect(hosts.done.slice(-3)).to.deep.equal(['grow 200 GiB', `${off} i-aaaaaaaa`, 'on i-aaaaaaaa']);
    });
  }

  it('grow on a stopped server without starting it', async () => {
    await make('disk1', 'off');
    await client.done('ExtendVolumeSize', { VolumeId: 'disk1', NiftyReboot: 'true' });
    await clock.advance(3000);
    expect(await shown('disk1')).to.deep.equal(['in-use', '200', 'off', 'attached']);
    expect(simulator.state().servers.find(({ name }) => name === 'off')?.state).to.equal('stopped');
  });

  for (const cap of [1000, 8000]) {
    it(`have at most ${cap} GB when the switch says so`, async () => {
      await simulator.stop();
      await start({ switches: `disk-cap=${cap}` });
      const tooLarge = await client.call('CreateVolume', { Size: cap + 100, InstanceId: 'a' });
      expect(tooLarge.code).to.equal('Client.InvalidParameterIllegalInput.Size');
      await client.done('CreateVolume', { VolumeId: 'large', Size: cap, InstanceId: 'a' });
      await clock.advance(3000);
      const grown = await client.call('ExtendVolumeSize', { VolumeId: 'large', NiftyReboot: 'false' });
      expect(grown.code).to.equal('Client.Inoperable.Volume.SizeLimitExceeded');
    });
  }

  it('are full of zeros, or of garbage when the switch says so', async () => {
    await make('disk1');
    expect(hosts.done[0]).to.equal('create 100 GiB');
    await simulator.stop();
    await start({ switches: 'new-disks=garbage' });
    await make('disk1');
    expect(hosts.done[0]).to.equal('create 100 GiB of garbage');
  });

  it('can be changed while others of their server are in transition, unless the switch says so', async () => {
    expect(await codesMeanwhile()).to.deep.equal([
      undefined,
      undefined,
      undefined,
      'Server.ResourceIncorrectState.Volume.Processing',
    ]);
    await simulator.stop();
    await start({ switches: 'disk-lock=server' });
    const busy = 'Server.ResourceIncorrectState.Instance.Processing';
    expect(await codesMeanwhile()).to.deep.equal([busy, busy, busy, undefined]);
  });

  it('leave a server in the state warning when they were in use, until it is rebooted', async () => {
    await make('disk1');
    hosts.inUse = true;
    await client.done('DetachVolume', { VolumeId: 'disk1', Agreement: 'true' });
    await clock.advance(3000);
    expect(await shown('disk1')).to.deep.equal(['available', '100']);
    expect(stateOfA()).to.equal('warning');
    await make('disk2');
    const careless = await client.call('DetachVolume', { VolumeId: 'disk2' });
    expect(careless.code).to.equal('Client.Inoperable.Volume.AgreementRequired');
    await client.done('RebootInstances', { 'InstanceId.1': 'a' });
    await clock.advance(3000);
    expect(stateOfA()).to.equal('running');
  });

  it('grow up to 4000 GB', async () => {
    await client.done('CreateVolume', { VolumeId: 'large', Size: 4000, InstanceId: 'a' });
    await clock.advance(3000);
    const answer = await client.call('ExtendVolumeSize', { VolumeId: 'large', NiftyReboot: 'false' });
    expect(answer.code).to.equal('Client.Inoperable.Volume.SizeLimitExceeded');
  });

  it('are deleted when they are detached, and unknown once that is done', async () => {
    await makeDetached('disk1');
    expect((await client.done('DeleteVolume', { VolumeId: 'disk1' })).at('return')).to.equal('true');
    expect(await shown('disk1')).to.deep.equal(['available', '100']);
    await clock.advance(3000);
    expect((await client.call('DescribeVolumes', { 'VolumeId.1': 'disk1' })).code).to.equal(
      'Client.InvalidParameterNotFound.Volume',
    );
    expect((await client.done('DescribeVolumes')).at('volumeSet')).to.equal('');
    expect(hosts.done.at(-1)).to.equal('delete');
  });

  it('refuse everything while they are in transition', async () => {
    const mutations: readonly [string, Record<string, string>][] = [
      ['AttachVolume', { InstanceId: 'b' }],
      ['DetachVolume', { InstanceId: 'a', Agreement: 'true' }],
      ['ExtendVolumeSize', { NiftyReboot: 'false' }],
      ['DeleteVolume', {}],
      ['ModifyVolumeAttribute', { Attribute: 'description', Value: 'x' }],
    ];
    const allRefuse = async (when: string): Promise<void> => {
      for (const [action, parameters] of mutations) {
        const { code } = await client.call(action, { VolumeId: 'disk1', ...parameters });
        expect(code, `${action} while ${when}`).to.equal('Server.ResourceIncorrectState.Volume.Processing');
      }
      await clock.advance(3000);
    };
    await client.done('CreateVolume', { VolumeId: 'disk1', Size: 100, InstanceId: 'a' });
    await allRefuse('creating');
    await client.done('ExtendVolumeSize', { VolumeId: 'disk1', NiftyReboot: 'false' });
    await allRefuse('growing');
    await client.done('DetachVolume', { VolumeId: 'disk1', Agreement: 'true' });
    await allRefuse('detaching');
    await client.done('AttachVolume', { VolumeId: 'disk1', InstanceId: 'b' });
    await allRefuse('attaching');
    await client.done('DetachVolume', { VolumeId: 'disk1', Agreement: 'true' });
    await clock.advance(3000);
    await client.done('DeleteVolume', { VolumeId: 'disk1' });
    await allRefuse('deleting');
  });

  // `held` is attached to server a, `free` to none.
  for (const [action, parameters, code] of [
    ['AttachVolume', { VolumeId: 'nobody', InstanceId: 'a' }, 'Client.InvalidParameterNotFound.Volume'],
    ['AttachVolume', { VolumeId: 'free', InstanceId: 'nobody' }, 'Client.InvalidParameterNotFound.Instance'],
    ['AttachVolume', { VolumeId: 'free', InstanceId: 'i-aaaaaaaa' }, 'Client.InvalidParameterNotFound.Instance'],
    ['AttachVolume', { VolumeId: 'free' }, 'Client.InvalidParameterRequired.InstanceId'],
    ['AttachVolume', { InstanceId: 'a' }, 'Client.InvalidParameterRequired.VolumeId'],
    ['AttachVolume', { VolumeId: 'held', InstanceId: 'a' }, 'Server.Inoperable.Volume.AlreadyAttached'],
    ['AttachVolume', { VolumeId: 'held', InstanceId: 'b' }, 'Server.Inoperable.Volume.AlreadyAttached'],
    ['AttachVolume', { VolumeId: 'free', InstanceId: 'far' }, 'Client.Inoperable.Volume.DifferentZone'],
    ['AttachVolume', { VolumeId: 'free', InstanceId: 'busy' }, 'Server.ResourceIncorrectState.Instance.Processing'],
    [
      'AttachVolume',
      { VolumeId: 'free', InstanceId: 'a', Device: 'SCSI (0:2)' },
      'Client.InvalidParameterIllegalInput.Device',
    ],
    ['DetachVolume', { VolumeId: 'nobody', Agreement: 'true' }, 'Client.InvalidParameterNotFound.Volume'],
    [
      'DetachVolume',
      { VolumeId: 'held', InstanceId: 'nobody', Agreement: 'true' },
      'Client.InvalidParameterNotFound.Instance',
    ],
    [
      'DetachVolume',
      { VolumeId: 'held', InstanceId: 'b', Agreement: 'true' },
      'Client.Inoperable.Volume.DetachedFromInstance',
    ],
    ['DetachVolume', { VolumeId: 'free', Agreement: 'true' }, 'Client.Inoperable.Volume.DetachedFromInstance'],
    ['DetachVolume', { VolumeId: 'held', InstanceId: 'a' }, 'Client.Inoperable.Volume.AgreementRequired'],
    ['DetachVolume', { VolumeId: 'held', Agreement: 'yes' }, 'Client.InvalidParameterIllegalInput.Agreement'],
    [
      'DetachVolume',
      { VolumeId: 'held', Agreement: 'true', Force: 'true' },
      'Client.InvalidParameterIllegalInput.Force',
    ],
    ['DeleteVolume', { VolumeId: 'nobody' }, 'Client.InvalidParameterNotFound.Volume'],
    ['DeleteVolume', { VolumeId: 'held' }, 'Client.Inoperable.Volume.AttachedToInstance'],
    ['ExtendVolumeSize', { VolumeId: 'nobody', NiftyReboot: 'false' }, 'Client.InvalidParameterNotFound.Volume'],
    ['ExtendVolumeSize', { VolumeId: 'free', NiftyReboot: 'false' }, 'Client.Inoperable.Volume.DetachedFromInstance'],
    ['ExtendVolumeSize', { VolumeId: 'held', NiftyReboot: 'yes' }, 'Client.InvalidParameterIllegalInput.NiftyReboot'],
    [
      'ModifyVolumeAttribute',
      { VolumeId: 'held', Attribute: 'size', Value: '200' },
      'Client.InvalidParameterIllegalInput.Attribute',
    ],
    [
      'ModifyVolumeAttribute',
      { VolumeId: 'held', Attribute: 'volumeName', Value: 'free' },
      'Client.InvalidParameterDuplicate.Volume',
    ],
    ['DescribeVolumes', { 'VolumeId.1': 'held', 'VolumeId.2': 'nobody' }, 'Client.InvalidParameterNotFound.Volume'],
  ] as const) {
    it(`refuse ${action} of ${JSON.stringify(parameters)} and stay as they are`, async () => {
      await makeDetached('free');
      await make('held');
      const before = simulator.state();
      expect((await client.call(action, parameters)).code).to.equal(code);
      expect(simulator.state()).to.deep.equal(before);
    });
  }

  it('are detached from a stopped server without agreement', async () => {
    await make('disk1', 'off');
    await client.done('DetachVolume', { VolumeId: 'disk1', InstanceId: 'off' });
  });

  it('are renamed, described anew and accounted for otherwise next month', async () => {
    await make('disk1');
    const change = (Attribute: string, Value: string): Promise<Answer> =>
      client.done('ModifyVolumeAttribute', { VolumeId: 'disk1', Attribute, Value });
    await change('description', 'mine');
    await change('accountingType', '1');
    await change('volumeName', 'renamed');
    expect((await client.call('DescribeVolumes', { 'VolumeId.1': 'disk1' })).code).to.equal(
      'Client.InvalidParameterNotFound.Volume',
    );
    const renamed = await client.done('DescribeVolumes', { 'VolumeId.1': 'renamed' });
    const paths = ['description', 'accountingType', 'nextMonthAccountingType'];
    expect(paths.map((path) => renamed.at(`volumeSet.item.0.${path}`))).to.deep.equal(['mine', '2', '1']);
  });

  it('stay in transition when their host fails', async () => {
    hosts.failing = 'attach';
    await make('disk1');
    await clock.advance(60_000);
    expect(await shown('disk1')).to.deep.equal(['creating', '100']);
    expect(simulator.state().volumes[0]?.transition).to.equal('create');
  });

  it('take their time by kind, divided by the time scale', async () => {
    await simulator.stop();
    await start({ transition: 'create=8s,detach=2s..6s', timeScale: 4, random: () => 0.5 });
    await client.done('CreateVolume', { VolumeId: 'disk1', Size: 100, InstanceId: 'a' });
    await clock.advance(1999);
    expect(simulator.state().volumes[0]?.transition).to.equal('create');
    await clock.advance(1);
    expect(simulator.state().volumes[0]?.transition).to.equal(null);
    await client.done('DetachVolume', { VolumeId: 'disk1', Agreement: 'true' });
    await clock.advance(999);
    expect(simulator.state().volumes[0]?.transition).to.equal('detach');
    await clock.advance(1);
    expect(simulator.state().volumes[0]?.transition).to.equal(null);
  });

  it('leave no timer behind when the simulator stops', async () => {
    await client.done('CreateVolume', { VolumeId: 'disk1', Size: 100, InstanceId: 'a' });
    expect(clock.sleeping).to.equal(1);
    await simulator.stop();
    expect(clock.sleeping).to.equal(0);
  });
});

describe('transition times', () => {
  for (const [text, attach, detach] of [
    ['3s', [3000, 3000], [3000, 3000]],
    ['0', [0, 0], [0, 0]],
    ['2s..5s', [2000, 5000], [2000, 5000]],
    ['attach=1.5s', [1500, 1500], [3000, 3000]],
    ['10ms,attach=1s..2s', [1000, 2000], [10, 10]],
  ] as const) {
    it(`are read from ${text}`, () => {
      const times = parseTransitionTimes(text);
      expect([times.attach.minMs, times.attach.maxMs]).to.deep.equal(attach);
      expect([times.detach.minMs, times.detach.maxMs]).to.deep.equal(detach);
    });
  }
  for (const text of ['', '3', 'fast', 'fly=3s', '5s..2s', '1s,', 'attach=']) {
    it(`are not read from ${JSON.stringify(text)}`, () => {
      expect(() => parseTransitionTimes(text)).to.throw(UsageError, 'create, attach, detach, extend, delete');
    });
  }
});
