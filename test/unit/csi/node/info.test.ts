import { writeFile } from 'node:fs/promises';
import { assert } from 'chai';
import { createNodeService } from '../../../../csi/node/node.ts';
import { VolumeLocks } from '../../../../csi/volume-locks.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import { failureOf, patient, stageRequest } from './requests.ts';

describe('NodeGetInfo and NodeGetCapabilities', () => {
  let machine: FakeMachine;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
  });
  afterEach(() => machine.stop());

  it('tells name, zone and limit', async () => {
    const node = await machine.nodeServer();
    assert.deepEqual(await node.NodeGetInfo({}, patient), {
      node_id: 'worker1',
      max_volumes_per_node: 14,
      accessible_topology: { segments: { 'topology.additional-storage.csi.nifcloud.com/zone': 'east-11' } },
    });
  });

  it('takes disks off the limit that somebody else uses, but neither our own nor idle ones', async () => {
    const node = await machine.nodeServer();
    for (const slot of [1, 2, 3, 4]) {
      await machine.addDisk(`disk${slot}`, DISK_BYTES);
      await machine.plug(slot, `disk${slot}`);
    }
    await node.NodeStageVolume(stageRequest(machine), patient);
    await machine.discover(2);
    await writeFile(machine.attributePath(await machine.discover(3), 'holders/md0'), '');
    // Staged by the Go driver: no record.
    const number = '8:200';
    await writeFile(machine.attributePath(await machine.discover(4), 'dev'), `${number}\n`);
    await machine.addMountRow(`50 1 ${number} / /k/plugins/kubernetes.io/csi/x/globalmount rw - ext4 /dev/sde rw`);
    assert.equal((await node.NodeGetInfo({}, patient)).max_volumes_per_node, 13);
  });

  it('is UNAVAILABLE while the zone is not known', async () => {
    const node = await createNodeService({
      nodeName: 'n',
      hostRoot: machine.root,
      stateDir: machine.stateDir,
      clock: machine,
      logger: machine.logger,
      locks: new VolumeLocks(),
      zone: () => Promise.reject(new Error('no label yet')),
    });
    assert.match(await failureOf(node.NodeGetInfo({}, patient)), /^UNAVAILABLE: .*zone.*no label yet/);
  });

  it('offers staging and expansion', async () => {
    const node = await machine.nodeServer();
    const { capabilities } = await node.NodeGetCapabilities({}, patient);
    assert.deepEqual(
      capabilities?.map(({ rpc }) => rpc?.type),
      ['STAGE_UNSTAGE_VOLUME', 'EXPAND_VOLUME'],
    );
  });
});
