import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { Cluster, serverUniqueIdOf } from '../../../../csi/disks/cluster.ts';
import { nodeOf } from '../../../../csi/disks/hosts.ts';
import { FastClock } from './model-cloud.ts';
import { ModelKube } from './model-kube.ts';

const { signal } = new AbortController();

describe('Cluster', () => {
  it('knows the server of a Node by any form of provider id', () => {
    expect(serverUniqueIdOf('nifcloud:///east-11/i-0abc1def')).to.equal('i-0abc1def');
    expect(serverUniqueIdOf('nifcloud:////i-0abc1def')).to.equal('i-0abc1def');
    expect(serverUniqueIdOf('i-0abc1def')).to.equal('i-0abc1def');
    for (const other of ['', 'aws:///a/i-1', 'nifcloud:///east-11/node01']) {
      expect(serverUniqueIdOf(other)).to.equal(undefined);
    }
  });

  it('joins servers with Nodes by provider id, by name only where a Node has none', async () => {
    const kube = new ModelKube();
    kube.addNode('renamed', { providerID: 'nifcloud:///east-11/i-1' });
    kube.addNode('fresh', { providerID: '' });
    kube.addNode('taken', { providerID: 'nifcloud:///east-11/i-3' });
    const nodes = await new Cluster(kube, new FastClock()).nodes(signal);
    expect(nodeOf({ name: 'server', uniqueId: 'i-1' }, nodes)?.name).to.equal('renamed');
    expect(nodeOf({ name: 'fresh', uniqueId: 'i-2' }, nodes)?.name).to.equal('fresh');
    expect(nodeOf({ name: 'taken', uniqueId: 'i-4' }, nodes)).to.equal(undefined);
  });

  it('finds the usual VolumeAttachment by one read', async () => {
    const kube = new ModelKube();
    kube.addVolumeAttachment('volume', 'node01', 'pv');
    const cluster = new Cluster(kube, new FastClock());
    expect(await cluster.hasVolumeAttachment('volume', 'node01', signal)).to.equal(true);
    expect(kube.reads.length).to.equal(1);
    expect(await cluster.hasVolumeAttachment('volume', 'node02', signal)).to.equal(false);
    expect(await cluster.hasVolumeAttachment('other', 'node01', signal)).to.equal(false);
  });

  it('reads no PersistentVolumes of the attachments that the attach-detach controller made for other disks', async () => {
    const kube = new ModelKube();
    for (const other of ['a', 'b', 'c']) kube.addVolumeAttachment(other, 'node01', `pv-${other}`);
    const cluster = new Cluster(kube, new FastClock());
    expect(await cluster.hasVolumeAttachment('volume', 'node01', signal)).to.equal(false);
    expect(kube.reads.length).to.equal(2);
  });

  it('finds one of any other name through its PersistentVolume', async () => {
    const kube = new ModelKube();
    kube.addPersistentVolume('pv', 'volume');
    kube.addVolumeAttachment('volume', 'node01', 'pv', 'by-hand');
    const cluster = new Cluster(kube, new FastClock());
    expect(await cluster.hasVolumeAttachment('volume', 'node01', signal)).to.equal(true);
    expect(await cluster.hasVolumeAttachment('other', 'node01', signal)).to.equal(false);
  });

  it('takes no silence for an answer', async () => {
    const kube = new ModelKube();
    kube.failure = new Error('connection refused');
    const cluster = new Cluster(kube, new FastClock());
    for (const ask of [
      cluster.nodes(signal),
      cluster.node('node01', signal),
      cluster.persistentVolume('pv', signal),
      cluster.hasVolumeAttachment('volume', 'node01', signal),
    ]) {
      const error: unknown = await ask.catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', status.UNAVAILABLE);
    }
  });
});
