import { expect } from 'chai';
import { Crash, lost, refused } from '../disks/model-cloud.ts';
import { ControllerWorld, GIB, ZONE_KEY, inZones, mount, range } from './controller-world.ts';

const NAME = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';
const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const never = new AbortController().signal;

/** Where the disk is born: the process dies before it is detached again. */
async function hostOf(world: ControllerWorld): Promise<string | undefined> {
  world.cloud.fault = (action, moment) => {
    if (action === 'DetachVolume' && moment === 'before') throw new Crash();
  };
  await world.call('CreateVolume', { name: NAME }).catch(() => undefined);
  return world.cloud.serverOf(ID);
}

describe('CreateVolume', () => {
  it('makes a free disk in the wanted zone, under the id that its name decides', async () => {
    const world = new ControllerWorld();
    const { volume } = await world.call('CreateVolume', { name: NAME, capacity_range: range(10) });
    const [disk] = world.cloud.settledState();
    expect(disk).to.include({ id: ID, description: NAME, sizeGB: 100, zone: 'east-11', status: 'available' });
    expect(disk).to.include({ diskType: 'Standard Flash Storage A', accountingType: '2' });
    expect(volume).to.deep.equal({
      volume_id: ID,
      capacity_bytes: String(100 * GIB),
      volume_context: { volumeUniqueId: disk?.uniqueId },
      accessible_topology: [{ segments: { [ZONE_KEY]: 'east-11' } }],
    });
  });

  it('takes six calls of the cloud, and one when the disk is there', async () => {
    const world = new ControllerWorld();
    const create = (): Promise<unknown> => world.call('CreateVolume', { name: NAME });
    expect(await world.callsOf(create)).to.deep.equal([
      'DescribeVolumes',
      'DescribeInstances',
      'CreateVolume',
      'DescribeVolumes',
      'DetachVolume',
      'DescribeVolumes',
    ]);
    expect(await world.callsOf(create)).to.deep.equal(['DescribeVolumes']);
  });

  it('answers a repeat as it answered at first', async () => {
    const world = new ControllerWorld();
    const first = await world.call('CreateVolume', { name: NAME });
    expect(await world.call('CreateVolume', { name: NAME })).to.deep.equal(first);
  });

  it('ends in the same single free disk, wherever the process is killed', async () => {
    for (let callNumber = 1; callNumber <= 6; callNumber += 1) {
      for (const moment of ['before', 'after'] as const) {
        const world = new ControllerWorld();
        world.cloud.fault = (_action, when, n) => {
          if (n === callNumber && when === moment) throw new Crash();
        };
        const died = await world.call('CreateVolume', { name: NAME }).catch((error: unknown) => error);
        expect(died, `${moment} call ${callNumber}`).to.be.an.instanceOf(Error);
        world.cloud.fault = () => undefined;
        world.restart();
        const { volume } = await world.call('CreateVolume', { name: NAME });
        expect(volume.volume_id).to.equal(ID);
        const disks = world.cloud.settledState();
        expect(disks.length, `${moment} call ${callNumber}`).to.equal(1);
        expect(disks[0]).to.include({ id: ID, status: 'available', sizeGB: 100 });
      }
    }
  });

  it('goes by the disk, and orders nothing again, when the answer of the cloud is lost', async () => {
    for (const action of ['CreateVolume', 'DetachVolume']) {
      for (const fault of [lost(action), refused(action, 'Server.InternalError')]) {
        const world = new ControllerWorld();
        world.cloud.fault = (called, moment) => {
          if (called === action && moment === 'after') throw fault;
        };
        await world.call('CreateVolume', { name: NAME });
        expect(world.cloud.count('CreateVolume')).to.equal(1);
        expect(world.cloud.count('DetachVolume')).to.equal(1);
        expect(world.cloud.serverOf(ID)).to.equal('');
      }
    }
  });

  it('asks to be called again when an order was lost on its way', async () => {
    for (const action of ['CreateVolume', 'DetachVolume']) {
      const world = new ControllerWorld();
      let isLost = false;
      world.cloud.fault = (called, moment) => {
        if (called !== action || moment !== 'before' || isLost) return;
        isLost = true;
        throw lost(action);
      };
      expect((await world.refusal('CreateVolume', { name: NAME })).code).to.equal('UNAVAILABLE');
      await world.call('CreateVolume', { name: NAME });
      expect(world.cloud.settledState().map(({ id, status }) => [id, status])).to.deep.equal([[ID, 'available']]);
    }
  });

  it('forgets no disk because the cloud cannot be read: the provisioner goes on asking', async () => {
    for (const code of [
      'Client.AuthFailure',
      'Client.AuthFailurePermission',
      'Client.Whatever',
      'Server.Maintenance',
    ]) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      world.cloud.fault = (action) => {
        throw refused(action, code);
      };
      expect((await world.refusal('CreateVolume', { name: NAME })).code).to.equal('UNAVAILABLE');
    }
  });

  it('never says that there is nothing once the cloud has taken the order', async () => {
    const world = new ControllerWorld();
    world.cloud.fault = (action, moment) => {
      if (action === 'DetachVolume' && moment === 'before') throw refused(action, 'Client.Inoperable.Volume.Whatever');
    };
    const request = { name: NAME };
    expect((await world.refusal('CreateVolume', request)).code).to.equal('UNAVAILABLE');
    expect((await world.refusal('CreateVolume', request)).code).to.equal('UNAVAILABLE');
  });

  it('leaves the disk alone when another process has finished the birth and published it meanwhile', async () => {
    const world = new ControllerWorld();
    const other = new ControllerWorld({ beside: world });
    const create = world.cloud.volumes.create.bind(world.cloud.volumes);
    world.cloud.volumes.create = async (wanted, signal) => {
      const answer = await create(wanted, signal);
      const { volume } = await other.call('CreateVolume', { name: NAME });
      world.kube?.addVolumeAttachment(volume.volume_id, wanted.serverName, NAME);
      const request = { volume_id: volume.volume_id, node_id: wanted.serverName };
      await other.call('ControllerPublishVolume', request);
      return answer;
    };
    const { volume } = await world.call('CreateVolume', { name: NAME });
    expect(world.cloud.serverOf(volume.volume_id)).to.equal('node01');
  });

  it('without a Kubernetes, frees a disk that the cloud made although it answered with an internal error', async () => {
    const world = new ControllerWorld({ withKube: false });
    world.cloud.fault = (action, moment) => {
      if (action === 'CreateVolume' && moment === 'after') throw refused(action, 'Server.InternalError');
    };
    const { volume } = await world.call('CreateVolume', { name: NAME });
    expect(world.cloud.serverOf(volume.volume_id)).to.equal('');
  });

  it('lets go when its caller does, and the next call finishes the work', async () => {
    const world = new ControllerWorld();
    const caller = new AbortController();
    world.cloud.fault = (action, moment) => {
      if (action === 'CreateVolume' && moment === 'after') caller.abort(new Error('the deadline has passed'));
    };
    await world.call('CreateVolume', { name: NAME }, caller.signal).catch(() => undefined);
    await world.call('CreateVolume', { name: NAME });
    expect(world.cloud.count('CreateVolume')).to.equal(1);
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('shares the work of an equal call that runs, and refuses another one for the volume', async () => {
    const world = new ControllerWorld();
    const request = { name: NAME };
    const calls = [1, 2, 3].map(() => world.call('CreateVolume', request));
    expect((await world.refusal('CreateVolume', { ...request, capacity_range: range(200) })).code).to.equal('ABORTED');
    expect((await world.refusal('DeleteVolume', { volume_id: ID })).code).to.equal('ABORTED');
    const [first, second, third] = await Promise.all(calls);
    expect([second, third]).to.deep.equal([first, first]);
    expect(world.cloud.calls).to.have.length(6);
  });

  it('goes on when its caller’s deadline passes, and its repeat finds it done or joins it', async () => {
    for (const waitMs of [0, 4_000, 60_000]) {
      const world = new ControllerWorld();
      const caller = new AbortController();
      const cut = world.call('CreateVolume', { name: NAME }, caller.signal).catch((error: unknown) => error);
      await world.clock.sleep(1_000);
      caller.abort(new Error('the deadline has passed'));
      expect(await cut).to.have.property('message', 'the deadline has passed');
      await world.clock.sleep(waitMs);
      const { volume } = await world.call('CreateVolume', { name: NAME });
      expect(volume.volume_id).to.equal(ID);
      expect(world.cloud.count('CreateVolume') + world.cloud.count('DetachVolume')).to.equal(2);
      expect(world.cloud.calls.length, `${waitMs} ms later`).to.equal(waitMs === 60_000 ? 7 : 6);
    }
  });

  describe('the host of a birth', () => {
    it('is the node of the zone with most free slots', async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume('other', { on: 'node01' });
      expect(await hostOf(world)).to.equal('node02');
    });

    it('is never a server that is no node of this cluster, is cordoned, or does not run', async () => {
      const world = new ControllerWorld();
      world.cloud.addServer('aastranger');
      world.cloud.addServer('aastopped', 'east-11', { state: 'stopped' });
      world.kube?.addNode('aastopped');
      world.kube?.addNode('node01', { cordoned: true });
      expect(await hostOf(world)).to.equal('node02');
    });

    it('is known by its provider id when the server was renamed', async () => {
      const world = new ControllerWorld();
      world.cloud.removeServer('node02');
      world.cloud.renameServer('node01', 'renamed');
      expect(await hostOf(world)).to.equal('renamed');
    });

    it('is another one when the cloud refuses the first', async () => {
      const world = new ControllerWorld();
      world.cloud.refusing.set('node01', 'Server.ResourceIncorrectState.Instance.Processing');
      expect(await hostOf(world)).to.equal('node02');
    });

    it('is waited for while births of this process fill all hosts', async () => {
      const world = new ControllerWorld();
      const names = Array.from({ length: 60 }, (_, n) => `volume${n}`);
      await Promise.all(names.map((name) => world.call('CreateVolume', { name })));
      expect(world.cloud.settledState().map(({ status }) => status)).to.deep.equal(names.map(() => 'available'));
      expect(world.cloud.count('CreateVolume')).to.equal(60);
    });

    it('is waited for also where births of this process are listed as attached to it already', async () => {
      const world = new ControllerWorld();
      world.cloud.removeServer('node02');
      const names = Array.from({ length: 13 }, (_, n) => `volume${n}`);
      const births = names.map((name) => world.call('CreateVolume', { name }));
      await world.clock.sleep(3_500);
      await world.call('CreateVolume', { name: NAME });
      await Promise.all(births);
      expect(world.cloud.settledState().map(({ status }) => status)).to.deep.equal(
        [...names, NAME].map(() => 'available'),
      );
      expect(world.cloud.count('CreateVolume')).to.equal(14);
    });

    it('is looked for anew when births of this process have left since all disks were read', async () => {
      const world = new ControllerWorld();
      world.cloud.removeServer('node02');
      const births = Array.from({ length: 13 }, (_, n) => world.call('CreateVolume', { name: `volume${n}` }));
      await world.clock.sleep(3_500);
      const servers = await world.cloud.servers.list(never);
      world.cloud.servers.list = async () => {
        await Promise.all(births);
        return servers;
      };
      await world.call('CreateVolume', { name: NAME });
      expect(world.cloud.serverOf(ID)).to.equal('');
    });

    it('is missing: RESOURCE_EXHAUSTED, so that another zone is tried', async () => {
      const world = new ControllerWorld();
      for (let n = 0; n < 13; n += 1) world.cloud.addVolume(`d${n}`, { zone: 'east-12', on: 'node03' });
      const request = { name: NAME, accessibility_requirements: inZones('east-12') };
      expect((await world.refusal('CreateVolume', request)).code).to.equal('RESOURCE_EXHAUSTED');
    });

    it('cannot be chosen while Kubernetes does not answer: UNAVAILABLE', async () => {
      const world = new ControllerWorld();
      world.kube!.failure = new Error('connection refused');
      expect((await world.refusal('CreateVolume', { name: NAME })).code).to.equal('UNAVAILABLE');
      expect(world.cloud.count('CreateVolume')).to.equal(0);
    });

    it('is any running server of the zone where no Kubernetes is configured', async () => {
      const world = new ControllerWorld({ withKube: false });
      expect(await hostOf(world)).to.equal('node01');
    });
  });

  describe('a disk that exists', () => {
    it('is found by its Description, as a Go driver left it, and freed', async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume('ab12cd34', { description: NAME, on: 'node01' });
      const { volume } = await world.call('CreateVolume', { name: NAME });
      expect(volume.volume_id).to.equal('ab12cd34');
      expect(world.cloud.serverOf('ab12cd34')).to.equal('');
      expect(world.notices.map(({ about, reason }) => [about, reason])).to.deep.equal([
        ['Node/node01', 'TemporaryAttachmentEnded'],
      ]);
    });

    it('is left where a VolumeAttachment wants it', async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      world.kube?.addVolumeAttachment(ID, 'node01', NAME);
      await world.call('CreateVolume', { name: NAME });
      expect(world.cloud.serverOf(ID)).to.equal('node01');
    });

    it('is left on a server that is no node of this cluster', async () => {
      const world = new ControllerWorld();
      world.cloud.addServer('rescue');
      world.cloud.addVolume(ID, { on: 'rescue' });
      await world.call('CreateVolume', { name: NAME });
      expect(world.cloud.serverOf(ID)).to.equal('rescue');
    });

    it('of several, the one that a PersistentVolume uses is taken; the others are named and kept', async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume('older', { description: NAME });
      world.cloud.addVolume('newer', { description: NAME });
      const oldest = await world.call('CreateVolume', { name: NAME });
      expect(oldest.volume.volume_id).to.equal('older');
      world.kube?.addPersistentVolume(NAME, 'newer');
      const used = await world.call('CreateVolume', { name: NAME });
      expect(used.volume.volume_id).to.equal('newer');
      expect(world.notices.at(-1)).to.include({ about: `PersistentVolume/${NAME}`, reason: 'SeveralDisks' });
      expect(world.notices.at(-1)?.message).to.contain('older');
      expect(world.cloud.settledState().length).to.equal(2);
    });

    for (const [complaint, disk, request] of [
      ['100 GiB', {}, { capacity_range: range(200) }],
      ['300 GiB', { sizeGB: 300 }, { capacity_range: range(100, 200) }],
      ['Flash Storage', { diskType: 'Flash Storage' }, {}],
      ['east-12', { zone: 'east-12' }, {}],
      ['charged monthly', { accountingType: '1', nextMonthAccountingType: '1' }, {}],
      ['charged hourly', {}, { mutable_parameters: { accountingType: 'monthly' } }],
    ] as const) {
      it(`is refused when it is not what is asked for: ${complaint}`, async () => {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID, disk);
        const { code, message } = await world.refusal('CreateVolume', { name: NAME, ...request });
        expect(code).to.equal('ALREADY_EXISTS');
        expect(message).to.contain(complaint);
      });
    }

    for (const [what, disk, request] of [
      ['it is larger and nothing forbids that', { sizeGB: 300 }, { capacity_range: range(100) }],
      [
        'its type is either letter of a class',
        { diskType: 'High-Speed Storage B' },
        { parameters: { type: 'high-speed' } },
      ],
      ['its type is one that nobody told us of', { diskType: 'Quantum Storage' }, {}],
      ['its accounting changes next month', { accountingType: '1', nextMonthAccountingType: '2' }, {}],
      [
        'it is in another allowed zone',
        { zone: 'east-12' },
        { accessibility_requirements: inZones('east-11', 'east-12') },
      ],
    ] as const) {
      it(`is taken although ${what}`, async () => {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID, disk);
        expect((await world.call('CreateVolume', { name: NAME, ...request })).volume.volume_id).to.equal(ID);
      });
    }

    it('is waited for when the cloud does not say how large it is', async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { sizeGB: Number.NaN });
      expect((await world.refusal('CreateVolume', { name: NAME })).code).to.equal('UNAVAILABLE');
    });
  });

  describe('what is asked for', () => {
    for (const [what, code, text, request] of [
      ['no name', 'INVALID_ARGUMENT', 'name', { name: '' }],
      ['no capabilities', 'INVALID_ARGUMENT', 'volume_capabilities', { volume_capabilities: [] }],
      [
        'many writers',
        'INVALID_ARGUMENT',
        'MULTI_NODE_MULTI_WRITER',
        { volume_capabilities: [{ ...mount, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }] },
      ],
      [
        'another file system',
        'INVALID_ARGUMENT',
        'ext4',
        { volume_capabilities: [mount, { ...mount, mount: { ...mount.mount, fs_type: 'ntfs' } }] },
      ],
      ['a source', 'INVALID_ARGUMENT', 'snapshot', { volume_content_source: { snapshot: { snapshot_id: 's' } } }],
      ['a name with control characters', 'INVALID_ARGUMENT', 'name', { name: 'pvc\u0007' }],
      ['an unknown mutable parameter', 'INVALID_ARGUMENT', 'XXX', { mutable_parameters: { XXX: '1' } }],
      ['a type as mutable parameter', 'INVALID_ARGUMENT', 'accountingType', { mutable_parameters: { type: 'flash' } }],
      ['an unknown mutable accounting', 'INVALID_ARGUMENT', 'monthly', { mutable_parameters: { accountingType: '2' } }],
      ['an unknown parameter', 'INVALID_ARGUMENT', 'accountingType', { parameters: { typ: 'flash' } }],
      ['an unknown type', 'INVALID_ARGUMENT', 'high-speed-flash-b', { parameters: { type: 'gold' } }],
      ['an unknown accounting', 'INVALID_ARGUMENT', 'monthly, hourly', { parameters: { accountingType: 'daily' } }],
      [
        'a topology without our key',
        'INVALID_ARGUMENT',
        ZONE_KEY,
        { accessibility_requirements: { requisite: [{ segments: { a: 'b' } }], preferred: [] } },
      ],
      ['no size that exists', 'OUT_OF_RANGE', '100', { capacity_range: range(10, 50) }],
      [
        'a size beyond all disks',
        'OUT_OF_RANGE',
        '8000',
        { capacity_range: { required_bytes: '9223372036854775807', limit_bytes: '0' } },
      ],
      [
        'a negative size',
        'INVALID_ARGUMENT',
        'negative',
        { capacity_range: { required_bytes: '-1', limit_bytes: '0' } },
      ],
    ] as const) {
      it(`is refused: ${what}`, async () => {
        const world = new ControllerWorld();
        const refusal = await world.refusal('CreateVolume', { name: NAME, ...request });
        expect(refusal.code).to.equal(code);
        expect(refusal.message).to.contain(text);
        expect(world.cloud.calls).to.deep.equal([]);
      });
    }

    it('may be a class with the provisioner’s own keys, in any case of letters', async () => {
      const world = new ControllerWorld();
      const parameters = {
        Type: 'flash',
        ACCOUNTINGTYPE: 'monthly',
        fstype: 'xfs',
        'csi.storage.k8s.io/pvc/name': 'x',
      };
      await world.call('CreateVolume', { name: NAME, parameters });
      expect(world.cloud.settledState()[0]).to.include({ diskType: 'Flash Storage', accountingType: '1' });
    });

    it('may be charged as a VolumeAttributesClass says, whatever the StorageClass does, and is found so again', async () => {
      const world = new ControllerWorld();
      const mutable_parameters = { accountingType: 'monthly' };
      const request = { name: NAME, parameters: { accountingType: 'hourly' }, mutable_parameters };
      const first = await world.call('CreateVolume', request);
      expect(world.cloud.settledState()[0]).to.include({ accountingType: '1' });
      expect(await world.call('CreateVolume', request)).to.deep.equal(first);
    });

    for (const [what, capability] of [
      ['a raw block volume', { block: {}, access_mode: { mode: 'SINGLE_NODE_MULTI_WRITER' } }],
      [
        'an xfs volume for one pod',
        { mount: { ...mount.mount, fs_type: 'xfs' }, access_mode: { mode: 'SINGLE_NODE_SINGLE_WRITER' } },
      ],
    ] as const) {
      it(`may be ${what}`, async () => {
        const world = new ControllerWorld();
        const { volume } = await world.call('CreateVolume', { name: NAME, volume_capabilities: [capability] });
        const publish = { volume_id: volume.volume_id, node_id: 'node01', volume_capability: capability };
        await world.call('ControllerPublishVolume', publish);
        const grow = { volume_id: volume.volume_id, capacity_range: range(200), volume_capability: capability };
        expect(await world.call('ControllerExpandVolume', grow)).to.deep.equal({
          capacity_bytes: String(200 * GIB),
          node_expansion_required: true,
        });
      });
    }

    it('decides the letter of a type by the name, evenly over many', async () => {
      const world = new ControllerWorld();
      const names = Array.from({ length: 30 }, (_, n) => `volume-${n}`);
      for (const name of names) await world.call('CreateVolume', { name, parameters: { type: 'standard-flash' } });
      const letters = world.cloud.settledState().map(({ diskType }) => diskType.at(-1));
      expect(new Set(letters)).to.deep.equal(new Set(['A', 'B']));
    });

    it('prefers the first zone of the preferred ones', async () => {
      const world = new ControllerWorld();
      await world.call('CreateVolume', { name: NAME, accessibility_requirements: inZones('east-12', 'east-11') });
      expect(world.cloud.settledState()[0]?.zone).to.equal('east-12');
    });

    it('is made in the driver’s own zone when no topology is given', async () => {
      const world = new ControllerWorld({ nodeName: 'node03' });
      await world.call('CreateVolume', { name: NAME, accessibility_requirements: null });
      expect(world.cloud.settledState()[0]?.zone).to.equal('east-12');
      const nameless = new ControllerWorld();
      const request = { name: NAME, accessibility_requirements: null };
      expect((await nameless.refusal('CreateVolume', request)).message).to.contain('NODE_NAME');
    });

    it('may have a name of 128 characters, which the cloud could not keep', async () => {
      const world = new ControllerWorld();
      const long = 'x'.repeat(128);
      const first = await world.call('CreateVolume', { name: long });
      const other = await world.call('CreateVolume', { name: `${long.slice(1)}y` });
      expect(first.volume.volume_id).to.match(/^[0-9a-z]{32}$/);
      expect(other.volume.volume_id).not.to.equal(first.volume.volume_id);
      expect(await world.call('CreateVolume', { name: long })).to.deep.equal(first);
    });
  });

  for (const [fault, code] of [
    ['Client.AuthFailure', 'UNAVAILABLE'],
    ['Client.AuthFailurePermission', 'UNAVAILABLE'],
    ['Server.Maintenance', 'UNAVAILABLE'],
    ['Server.InternalError', 'UNAVAILABLE'],
    ['Client.InvalidParameterIllegalInput.DiskType', 'INVALID_ARGUMENT'],
    ['Client.Inoperable.Instance.VolumeLimitExceeded', 'RESOURCE_EXHAUSTED'],
    ['Client.Inoperable.Volume.Whatever', 'INTERNAL'],
  ] as const) {
    it(`says ${code} when the cloud refuses the order with ${fault}`, async () => {
      const world = new ControllerWorld();
      world.cloud.fault = (action, moment) => {
        if (action === 'CreateVolume' && moment === 'before') throw refused(action, fault);
      };
      expect((await world.refusal('CreateVolume', { name: NAME })).code).to.equal(code);
    });
  }
});
