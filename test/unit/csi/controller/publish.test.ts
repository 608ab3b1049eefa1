import { status as Status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { unlessAborted } from '../../../../csi/unless-aborted.ts';
import { Crash, lost, refused } from '../disks/model-cloud.ts';
import { ControllerWorld, mount, range } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const toNode01 = { volume_id: ID, node_id: 'node01' };

describe('ControllerPublishVolume', () => {
  it('attaches a free disk and tells the node where to find which disk', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume('other', { on: 'node01' });
    const { uniqueId } = world.cloud.addVolume(ID, { sizeGB: 200 });
    const answer = await world.call('ControllerPublishVolume', toNode01);
    expect(answer).to.deep.equal({
      publish_context: { devicePath: 'SCSI (0:2)', volumeUniqueId: uniqueId, sizeGB: '200' },
    });
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('takes five calls of the cloud; a repeat takes two, changes nothing and answers the same', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    let first: object | undefined;
    let again: object | undefined;
    const calls = await world.callsOf(async () => (first = await world.call('ControllerPublishVolume', toNode01)));
    expect([...calls].sort()).to.deep.equal([
      'AttachVolume',
      'DescribeInstanceAttribute',
      'DescribeInstances',
      'DescribeVolumes',
      'DescribeVolumes',
    ]);
    const repeat = await world.callsOf(async () => (again = await world.call('ControllerPublishVolume', toNode01)));
    expect(repeat).to.deep.equal(['DescribeVolumes', 'DescribeInstanceAttribute']);
    expect(again).to.deep.equal(first);
  });

  it('ends attached, wherever the process is killed', async () => {
    for (let callNumber = 1; callNumber <= 5; callNumber += 1) {
      for (const moment of ['before', 'after'] as const) {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID, { on: 'node02' }); // left over from its birth
        world.cloud.fault = (_action, when, n) => {
          if (n === callNumber && when === moment) throw new Crash();
        };
        await world.call('ControllerPublishVolume', toNode01).catch(() => undefined);
        world.cloud.fault = () => undefined;
        world.restart();
        await world.call('ControllerPublishVolume', toNode01);
        expect(world.cloud.serverOf(ID), `${moment} call ${callNumber}`).to.equal('node01');
      }
    }
  });

  it('goes by the disk, and orders nothing again, when the answer of the cloud is lost', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.cloud.fault = (action, moment) => {
      if (action === 'AttachVolume' && moment === 'after') throw lost(action);
    };
    await world.call('ControllerPublishVolume', toNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
    expect(world.cloud.count('AttachVolume')).to.equal(1);
  });

  it('asks to be called again when the order was lost on its way', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    let isLost = false;
    world.cloud.fault = (action, moment) => {
      if (action !== 'AttachVolume' || moment !== 'before' || isLost) return;
      isLost = true;
      throw lost(action);
    };
    expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('UNAVAILABLE');
    await world.call('ControllerPublishVolume', toNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('never says "not attached" once the cloud has taken the order', async () => {
    for (const failing of ['DescribeVolumes', 'DescribeInstanceAttribute']) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID);
      world.cloud.fault = (action) => {
        if (action === failing && world.cloud.count('AttachVolume') > 0) throw refused(action, 'Client.AuthFailure');
      };
      expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('UNAVAILABLE');
    }
  });

  it('gives no slot of another server or another disk', async () => {
    for (const wrong of [{ serverUniqueId: 'i-newcomer' }, { disks: [] }]) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      const disks = world.cloud.servers.disks.bind(world.cloud.servers);
      world.cloud.servers.disks = async (name, signal) => ({ ...(await disks(name, signal)), ...wrong });
      expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('UNAVAILABLE');
    }
  });

  it('ends an attachment that a birth left behind, and says so', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node02' });
    await world.call('ControllerPublishVolume', toNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
    expect(world.notices[0]).to.include({ about: 'Node/node02', reason: 'TemporaryAttachmentEnded' });
  });

  it('takes over an attachment that a birth left on the right node', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    const calls = await world.callsOf(() => world.call('ControllerPublishVolume', toNode01));
    expect(calls).to.deep.equal(['DescribeVolumes', 'DescribeInstanceAttribute']);
  });

  it('refuses a disk that a VolumeAttachment, of whatever name, holds on another node', async () => {
    for (const name of [undefined, 'made-by-hand']) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node02' });
      world.kube?.addPersistentVolume('pv', ID);
      world.kube?.addVolumeAttachment(ID, 'node02', 'pv', name);
      const { code, message } = await world.refusal('ControllerPublishVolume', toNode01);
      expect(code).to.equal('FAILED_PRECONDITION');
      expect(message).to.contain('node02');
      expect(world.cloud.serverOf(ID)).to.equal('node02');
    }
  });

  it('never touches the attachment to a server that is no node of this cluster', async () => {
    const world = new ControllerWorld();
    world.cloud.addServer('rescue');
    world.cloud.addVolume(ID, { on: 'rescue' });
    const { code, message } = await world.refusal('ControllerPublishVolume', toNode01);
    expect(code).to.equal('FAILED_PRECONDITION');
    expect(message).to.contain('rescue');
    expect(world.cloud.serverOf(ID)).to.equal('rescue');
  });

  it('knows a node by its provider id when its server was renamed', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node02' });
    world.kube?.addVolumeAttachment(ID, 'node02', 'pv');
    world.cloud.renameServer('node02', 'renamed');
    expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('FAILED_PRECONDITION');
    await world.call('ControllerPublishVolume', { volume_id: ID, node_id: 'node02' });
    expect(world.cloud.serverOf(ID)).to.equal('renamed');
  });

  it('ends an attachment that a birth left behind on a server that was renamed', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node02' });
    world.cloud.renameServer('node02', 'renamed');
    await world.call('ControllerPublishVolume', toNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('attaches to a renamed server of the node under its present name', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.cloud.renameServer('node01', 'renamed');
    await world.call('ControllerPublishVolume', toNode01);
    expect(world.cloud.serverOf(ID)).to.equal('renamed');
  });

  it('without a Kubernetes, ends only what this process did itself', async () => {
    const world = new ControllerWorld({ withKube: false });
    world.cloud.addVolume('another', { on: 'node02' });
    const request = { volume_id: 'another', node_id: 'node01' };
    expect((await world.refusal('ControllerPublishVolume', request)).code).to.equal('FAILED_PRECONDITION');
    const born = await leaveAtBirth(world);
    const other = born === 'node01' ? 'node02' : 'node01';
    await world.call('ControllerPublishVolume', { volume_id: ID, node_id: other });
    expect(world.cloud.serverOf(ID)).to.equal(other);
    const back = { volume_id: ID, node_id: born };
    expect((await world.refusal('ControllerPublishVolume', back)).code).to.equal('FAILED_PRECONDITION');
  });

  it('without a Kubernetes, regards a disk as in use once it was published, also where it was born', async () => {
    const world = new ControllerWorld({ withKube: false });
    await world.call('ControllerPublishVolume', { volume_id: ID, node_id: await leaveAtBirth(world) });
    expect((await world.refusal('DeleteVolume', { volume_id: ID })).code).to.equal('FAILED_PRECONDITION');
  });

  it('without a Kubernetes, regards a disk as in use once it was published, also where somebody detached it after its birth', async () => {
    const world = new ControllerWorld({ withKube: false });
    const born = await leaveAtBirth(world);
    await world.cloud.volumes.detach({ volumeId: ID, serverName: born }, new AbortController().signal);
    await world.clock.sleep(60_000);
    await world.call('ControllerPublishVolume', { volume_id: ID, node_id: born });
    const elsewhere = { volume_id: ID, node_id: born === 'node01' ? 'node02' : 'node01' };
    expect((await world.refusal('ControllerPublishVolume', elsewhere)).code).to.equal('FAILED_PRECONDITION');
    expect(world.cloud.serverOf(ID)).to.equal(born);
  });

  it('refuses a server that bears the node’s name and is not the node’s', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.kube?.addNode('node01', { providerID: 'nifcloud:///east-11/i-former' });
    const { code, message } = await world.refusal('ControllerPublishVolume', toNode01);
    expect(code).to.equal('FAILED_PRECONDITION');
    expect(message).to.contain('i-former').and.contain('i-node01');
    expect(world.cloud.count('AttachVolume')).to.equal(0);
  });

  it('undoes an attachment that met another server than the one it was meant for', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.cloud.fault = (action, moment) => {
      if (action !== 'AttachVolume' || moment !== 'before') return;
      world.cloud.renameServer('node01', 'former');
      world.cloud.addServer('node01', 'east-11', { uniqueId: 'i-newcomer' });
    };
    const { code, message } = await world.refusal('ControllerPublishVolume', toNode01);
    expect(code).to.equal('FAILED_PRECONDITION');
    expect(message).to.contain('i-newcomer');
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('undoes such an attachment also while the other server is busy with it', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    let refusals = 0;
    world.cloud.fault = (action, moment) => {
      if (moment !== 'before') return;
      if (action === 'AttachVolume') {
        world.cloud.renameServer('node01', 'former');
        world.cloud.addServer('node01', 'east-11', { uniqueId: 'i-newcomer' });
      }
      if (action !== 'DetachVolume' || refusals === 2) return;
      refusals += 1;
      throw refused(action, 'Server.ResourceIncorrectState.Instance.Processing');
    };
    expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('FAILED_PRECONDITION');
    expect(world.cloud.serverOf(ID)).to.equal('');
    expect(world.cloud.count('AttachVolume')).to.equal(1);
  });

  it('looks again when somebody else attached the disk first', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.cloud.fault = (action, moment) => {
      if (action === 'AttachVolume' && moment === 'before') world.cloud.addVolume(ID, { on: 'node02' });
    };
    expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('ABORTED');
  });

  it('finds a renamed disk by its unique id, and refuses another one that took its name', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID);
    world.cloud.renameVolume(ID, 'renamed');
    const request = { ...toNode01, volume_context: { volumeUniqueId: uniqueId } };
    await world.call('ControllerPublishVolume', request);
    expect(world.cloud.serverOf('renamed')).to.equal('node01');
    const gone = { ...toNode01, volume_context: { volumeUniqueId: 'vol-gone' } };
    expect((await world.refusal('ControllerPublishVolume', gone)).code).to.equal('NOT_FOUND');
    world.cloud.addVolume(ID);
    expect((await world.refusal('ControllerPublishVolume', gone)).code).to.equal('FAILED_PRECONDITION');
  });

  it('fills the fourteen slots of a node and refuses one more, also when all come at once', async () => {
    const world = new ControllerWorld();
    const ids = Array.from({ length: 15 }, (_, n) => `volume${n}`);
    for (const id of ids) world.cloud.addVolume(id);
    const outcomes = await Promise.all(
      ids.map((id) =>
        world.call('ControllerPublishVolume', { volume_id: id, node_id: 'node01' }).then(
          ({ publish_context: { devicePath } }) => devicePath,
          (error: { code: number }) => error.code,
        ),
      ),
    );
    const slots = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((slot) => `SCSI (0:${slot})`);
    expect(new Set(outcomes)).to.deep.equal(new Set([...slots, 8]));
  });

  describe('while births go on', () => {
    let world: ControllerWorld;

    /** `forGood`: how many disks node01 has besides. Afterwards the births are attached and not yet freed. */
    async function begin(forGood: number, births: number, pods: number, afterMs = 3_500): Promise<void> {
      for (let n = 0; n < forGood; n += 1) world.cloud.addVolume(`old${n}`, { on: 'node01' });
      for (let n = 0; n < pods; n += 1) world.cloud.addVolume(`pod${n}`);
      for (let n = 0; n < births; n += 1) world.call('CreateVolume', { name: `new${n}` }).catch(() => undefined);
      await world.clock.sleep(afterMs);
    }

    /** What comes of publishing these to node01. */
    function publish(...ids: readonly string[]): Promise<readonly string[]> {
      return Promise.all(
        ids.map((volume_id) =>
          world.call('ControllerPublishVolume', { volume_id, node_id: 'node01' }).then(
            () => 'attached',
            ({ code }: { code: number }) => Status[code] ?? '',
          ),
        ),
      );
    }

    beforeEach(() => {
      world = new ControllerWorld();
      world.kube?.addNode('node02', { cordoned: true });
    });

    it('waits until one has left the node: RESOURCE_EXHAUSTED would fail the pod', async () => {
      await begin(0, 14, 2);
      expect(await publish('pod0', 'pod1')).to.deep.equal(['attached', 'attached']);
      expect(world.cloud.count('AttachVolume')).to.equal(2);
    });

    it('refuses what has no room after they have left the node', async () => {
      await begin(12, 1, 3);
      expect(await publish('pod0', 'pod1', 'pod2')).to.deep.equal(['attached', 'attached', 'RESOURCE_EXHAUSTED']);
      expect(world.cloud.count('AttachVolume')).to.equal(2);
    });

    it('refuses at once where none is on the node', async () => {
      world.kube?.addNode('node02');
      await begin(14, 13, 1);
      const startedAtMs = world.clock.nowMs;
      expect(await publish('pod0')).to.deep.equal(['RESOURCE_EXHAUSTED']);
      expect(world.clock.nowMs - startedAtMs).to.be.below(100);
    });

    it('looks again when one has left the node since all disks were read', async () => {
      await begin(12, 1, 1);
      world.cloud.addVolume('more', { on: 'node01' });
      const servers = await world.cloud.servers.list(new AbortController().signal);
      world.cloud.servers.list = async () => {
        await world.clock.sleep(10_000);
        return servers;
      };
      expect(await publish('pod0')).to.deep.equal(['attached']);
    });

    it('waits no longer for one that failed and stays on the node', async () => {
      world.cloud.fault = (action, moment) => {
        if (action === 'DetachVolume' && moment === 'before') throw refused(action, 'Client.Inoperable.Volume');
      };
      await begin(12, 1, 2, 2_500); // not attached yet
      expect(await publish('pod0', 'pod1')).to.deep.equal(['attached', 'RESOURCE_EXHAUSTED']);
      expect(world.cloud.settledState().filter(({ attachments }) => attachments.length > 0)).to.have.length(14);
    });
  });

  it('says RESOURCE_EXHAUSTED when the cloud counts more disks on the node than it lists', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.cloud.refusing.set('node01', 'Client.Inoperable.Instance.VolumeLimitExceeded');
    expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('RESOURCE_EXHAUSTED');
  });

  it('waits out a server that is busy, one request after another', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    let refusals = 0;
    world.cloud.fault = (action, moment) => {
      if (action !== 'AttachVolume' || moment !== 'before' || refusals === 3) return;
      refusals += 1;
      throw refused(action, 'Server.ResourceIncorrectState.Instance.Processing');
    };
    await world.call('ControllerPublishVolume', toNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('gives up on a server that stays busy: ABORTED', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.cloud.refusing.set('node01', 'Server.ResourceIncorrectState.Instance.Processing');
    expect((await world.refusal('ControllerPublishVolume', toNode01)).code).to.equal('ABORTED');
  });

  it('waits until the disk has come out of a transition', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node02' });
    world.kube?.addVolumeAttachment(ID, 'node02', 'pv');
    await world.cloud.volumes.detach({ volumeId: ID, serverName: 'node02' }, new AbortController().signal);
    await world.call('ControllerPublishVolume', toNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('answers only when the detach has ended that a growth without a caller is just sending', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    const caller = new AbortController();
    const detach = world.cloud.volumes.detach.bind(world.cloud.volumes);
    world.cloud.volumes.detach = (names, signal) => {
      caller.abort(new Error('the deadline has passed'));
      const landed = world.clock.sleep(5_000).then(() => detach(names, new AbortController().signal));
      return unlessAborted(landed, signal);
    };
    const growth = { volume_id: ID, capacity_range: range(200) };
    await world.call('ControllerExpandVolume', growth, caller.signal).catch(() => undefined);
    const host = world.cloud.serverOf(ID) ?? '';
    world.kube?.addVolumeAttachment(ID, host, 'pv');
    await world.call('ControllerPublishVolume', { volume_id: ID, node_id: host });
    await world.clock.sleep(10_000);
    expect(world.cloud.serverOf(ID)).to.equal(host);
  });

  it('takes a repeat for one also when its maps come in another order, as Go writes them', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID);
    const calls = [
      { volumeUniqueId: uniqueId, fsType: 'ext4' },
      { fsType: 'ext4', volumeUniqueId: uniqueId },
    ].map((volume_context) => world.call('ControllerPublishVolume', { ...toNode01, volume_context }));
    const [first, again] = await Promise.all(calls);
    expect(again).to.deep.equal(first);
    expect(world.cloud.count('AttachVolume')).to.equal(1);
  });

  for (const [what, code, request] of [
    ['no volume', 'INVALID_ARGUMENT', { volume_id: '' }],
    ['no node', 'INVALID_ARGUMENT', { node_id: '' }],
    ['no capability', 'INVALID_ARGUMENT', { volume_capability: null }],
    ['a capability that is not supported', 'INVALID_ARGUMENT', { volume_capability: { ...mount, mount: null } }],
    ['read-only', 'INVALID_ARGUMENT', { readonly: true }],
    ['an unknown volume', 'NOT_FOUND', { volume_id: 'fake-vol-id' }],
    ['an unknown node', 'NOT_FOUND', { node_id: 'fake-node-id' }],
  ] as const) {
    it(`refuses ${what}: ${code}`, async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID);
      expect((await world.refusal('ControllerPublishVolume', { ...toNode01, ...request })).code).to.equal(code);
    });
  }
});

/** Makes the disk, which stays where it was born. @returns the server's name */
async function leaveAtBirth(world: ControllerWorld): Promise<string> {
  world.cloud.fault = (action, moment) => {
    if (action === 'DetachVolume' && moment === 'before') throw lost(action);
  };
  await world.refusal('CreateVolume', { name: 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5' });
  world.cloud.fault = () => undefined;
  return world.cloud.serverOf(ID)!;
}
