import { expect } from 'chai';
import type { Volume } from '../../../../csi/disks/cloud.ts';
import type { ClusterNode } from '../../../../csi/disks/cluster.ts';
import { orphansAmong, watchOrphans } from '../../../../csi/disks/orphans.ts';
import { DRIVER_NAME } from '../../../../csi/names.ts';
import type { PersistentVolume } from '../../../../kube/types.ts';
import { FakeClock } from '../../../fake-clock.ts';
import { memoryLogger } from '../node/fake-machine.ts';
import { ModelCloud } from './model-cloud.ts';

const NAME = 'pvc-5f509202-4503-49bc-a41e-f5c6f42fca3b';
const NODES: readonly ClusterNode[] = [
  { name: 'node01', serverUniqueId: 'i-node01', schedulable: true, volumesInUse: [] },
];

function disk(more: Partial<Volume> = {}): Volume {
  return {
    id: '5f509202450349bca41ef5c6f42fca3b',
    uniqueId: 'vol-1',
    sizeGB: 100,
    diskType: 'Standard Storage',
    zone: 'east-11',
    accountingType: '2',
    nextMonthAccountingType: '2',
    status: 'available',
    description: NAME,
    createdAt: '2026-01-01T00:00:00Z',
    attachments: [],
    ...more,
  };
}

function volume(volumeHandle: string, volumeAttributes: Record<string, string> = {}): PersistentVolume {
  return { metadata: { name: 'pv' }, spec: { csi: { driver: DRIVER_NAME, volumeHandle, volumeAttributes } } };
}

function on(serverName: string, serverUniqueId: string): Partial<Volume> {
  return { status: 'in-use', attachments: [{ serverName, serverUniqueId, status: 'attached', device: '' }] };
}

describe('orphans: disks without a PersistentVolume', () => {
  const cases: readonly [string, Volume, readonly PersistentVolume[], boolean][] = [
    ['a provisioned disk that no PersistentVolume knows is one', disk(), [volume('other')], true],
    ['also one of the Go driver', disk({ id: 'abcd1234' }), [], true],
    ['also one that is attached to a node of this cluster', disk(on('node01', 'i-node01')), [], true],
    ['one with a PersistentVolume is not', disk(), [volume('5f509202450349bca41ef5c6f42fca3b')], false],
    ['one that was renamed is not', disk({ id: 'renamed' }), [volume('old', { volumeUniqueId: 'vol-1' })], false],
    ["somebody's own disk is not", disk({ description: 'backup' }), [], false],
    ['one that is attached to a server of another cluster is not', disk(on('node01', 'i-other')), [], false],
  ];
  for (const [what, one, known, isOrphan] of cases) {
    it(what, () => expect(orphansAmong([one], known, NODES)).to.deep.equal(isOrphan ? [one] : []));
  }

  it('are counted and named once they last, and nothing is done with them', async () => {
    const clock = new FakeClock();
    const cloud = new ModelCloud(clock);
    const counts: number[] = [];
    const logger = memoryLogger();
    let volumes: readonly Volume[] = [disk()];
    const listing = { servers: cloud.servers, volumes: { ...cloud.volumes, list: async () => volumes } };
    const stop = new AbortController();
    const cluster = { nodes: async () => NODES, persistentVolumes: async () => [] };
    const done = watchOrphans(
      { cloud: listing, cluster, count: (n) => counts.push(n), clock, logger },
      stop.signal,
    ).catch(() => undefined);
    await clock.advance(10 * 60_000);
    expect({ counts, lines: logger.lines }).to.deep.equal({ counts: [0], lines: [] });
    await clock.advance(20 * 60_000);
    expect(counts).to.deep.equal([0, 1, 1]);
    expect(logger.lines, 'the same is said once').to.have.lengthOf(1);
    volumes = [];
    await clock.advance(10 * 60_000);
    expect(counts.at(-1)).to.equal(0);
    stop.abort(new Error('stop'));
    await done;
  });
});
