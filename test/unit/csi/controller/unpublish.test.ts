import { expect } from 'chai';
import { Crash, lost, refused } from '../disks/model-cloud.ts';
import { ControllerWorld } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';
const fromNode01 = { volume_id: ID, node_id: 'node01' };

describe('ControllerUnpublishVolume', () => {
  it('detaches in three calls of the cloud; a repeat takes one', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    const unpublish = (): Promise<unknown> => world.call('ControllerUnpublishVolume', fromNode01);
    expect(await world.callsOf(unpublish)).to.deep.equal(['DescribeVolumes', 'DetachVolume', 'DescribeVolumes']);
    expect(world.cloud.serverOf(ID)).to.equal('');
    expect(await world.callsOf(unpublish)).to.deep.equal(['DescribeVolumes']);
  });

  it('obeys although a VolumeAttachment is there: it is being deleted', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf(ID)).to.equal('');
    expect([world.forcedDetaches, world.notices]).to.deep.equal([0, []]);
  });

  it('obeys when the node still uses the disk, and says so', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addNode('node01', {
      volumesInUse: [`kubernetes.io/csi/additional-storage.csi.nifcloud.com^${ID}`],
    });
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf(ID)).to.equal('');
    expect(world.forcedDetaches).to.equal(1);
    expect(world.notices[0]).to.include({ about: 'Node/node01', reason: 'ForcedDetach' });
  });

  it('leaves a disk alone that another node has', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node02' });
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node02');
  });

  it('detaches from a renamed server of the node under its present name', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.cloud.renameServer('node01', 'renamed');
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('leaves a stranger alone that bears the node’s name', async () => {
    const world = new ControllerWorld();
    world.kube?.addNode('node01', { providerID: 'nifcloud:///east-11/i-former' });
    world.cloud.addVolume(ID, { on: 'node01' });
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('goes by the name of a server whose Node is gone', async () => {
    const world = new ControllerWorld();
    world.cloud.addServer('node09');
    world.cloud.addVolume(ID, { on: 'node09' });
    await world.call('ControllerUnpublishVolume', { volume_id: ID, node_id: 'node09' });
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('succeeds for a server that is gone when the disk shows no attachment', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    await world.call('ControllerUnpublishVolume', { volume_id: ID, node_id: 'vanished' });
  });

  it('succeeds for a server that no longer exists although the disk still shows it', async () => {
    for (const step of ['before the call', 'during the call']) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      if (step === 'before the call') world.cloud.removeServer('node01');
      world.cloud.fault = (action, moment) => {
        if (action === 'DetachVolume' && moment === 'before') world.cloud.removeServer('node01');
      };
      await world.call('ControllerUnpublishVolume', fromNode01);
    }
  });

  it('succeeds when the disk of its PersistentVolume is gone, and leaves alone another one that took the name', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addPersistentVolume(PV, ID, { volumeUniqueId: 'vol-gone' });
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('detaches from whoever has the disk when no node is given', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node02' });
    await world.call('ControllerUnpublishVolume', { volume_id: ID });
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('succeeds for a disk that does not exist', async () => {
    const world = new ControllerWorld();
    await world.call('ControllerUnpublishVolume', { volume_id: 'fake-vol-id', node_id: 'node01' });
  });

  it('finds a renamed disk through its PersistentVolume: one that is not found would count as detached', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addPersistentVolume(PV, ID, { volumeUniqueId: uniqueId });
    world.cloud.renameVolume(ID, 'renamed');
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf('renamed')).to.equal('');
  });

  it('waits until a disk that is being attached can be detached', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    await world.cloud.volumes.attach({ volumeId: ID, serverName: 'node01' }, new AbortController().signal);
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('succeeds when somebody else detached or deleted the disk first', async () => {
    for (const change of ['detached', 'deleted']) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      world.cloud.fault = (action, moment) => {
        if (action !== 'DetachVolume' || moment !== 'before') return;
        if (change === 'detached') world.cloud.addVolume(ID);
        else world.cloud.removeVolume(ID);
      };
      await world.call('ControllerUnpublishVolume', fromNode01);
    }
  });

  it('is not done because the disk got another name meanwhile, and detaches it under that', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addPersistentVolume(PV, ID, { volumeUniqueId: uniqueId });
    world.cloud.fault = (action, moment) => {
      if (action !== 'DetachVolume' || moment !== 'before') return;
      world.cloud.fault = () => undefined;
      world.cloud.renameVolume(ID, 'renamed');
    };
    expect((await world.refusal('ControllerUnpublishVolume', fromNode01)).code).to.equal('ABORTED');
    await world.call('ControllerUnpublishVolume', fromNode01);
    expect(world.cloud.serverOf('renamed')).to.equal('');
  });

  it('never takes doubt for success', async () => {
    for (const [action, fault] of [
      ['DescribeVolumes', lost('DescribeVolumes')],
      ['DetachVolume', refused('DetachVolume', 'Client.InvalidParameterNotFound.Instance')],
      ['DetachVolume', refused('DetachVolume', 'Server.InternalError')],
    ] as const) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      world.cloud.fault = (called, moment) => {
        if (called === action && moment === 'before') throw fault;
      };
      expect((await world.refusal('ControllerUnpublishVolume', fromNode01)).code).to.be.oneOf([
        'ABORTED',
        'UNAVAILABLE',
      ]);
    }
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube!.failure = new Error('connection refused');
    expect((await world.refusal('ControllerUnpublishVolume', fromNode01)).code).to.equal('UNAVAILABLE');
  });

  it('ends detached, wherever the process is killed', async () => {
    for (let callNumber = 1; callNumber <= 3; callNumber += 1) {
      for (const moment of ['before', 'after'] as const) {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID, { on: 'node01' });
        world.cloud.fault = (_action, when, n) => {
          if (n === callNumber && when === moment) throw new Crash();
        };
        await world.call('ControllerUnpublishVolume', fromNode01).catch(() => undefined);
        world.cloud.fault = () => undefined;
        world.restart();
        await world.call('ControllerUnpublishVolume', fromNode01);
        expect(world.cloud.serverOf(ID)).to.equal('');
      }
    }
  });

  it('needs a volume', async () => {
    const world = new ControllerWorld();
    expect((await world.refusal('ControllerUnpublishVolume', {})).code).to.equal('INVALID_ARGUMENT');
  });
});
