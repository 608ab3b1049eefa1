import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import { createNodeService } from '../../../../csi/node/node.ts';
import { RpcError } from '../../../../csi/rpc-error.ts';
import { VolumeLocks } from '../../../../csi/volume-locks.ts';
import { FakeMachine } from './fake-machine.ts';
import { failureOf, patient } from './requests.ts';

describe('NodeGetInfo and NodeGetCapabilities', () => {
  let machine: FakeMachine;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
  });
  afterEach(() => machine.stop());

  const inZone = (zone: () => Promise<string>): ReturnType<typeof createNodeService> =>
    createNodeService({
      nodeName: 'n',
      hostRoot: machine.root,
      stateDir: machine.stateDir,
      clock: machine,
      logger: machine.logger,
      locks: new VolumeLocks(),
      formatNonzero: false,
      zone,
    });

  it('tells name, zone and limit', async () => {
    const node = await machine.nodeServer();
    assert.deepEqual(await node.NodeGetInfo({}, patient), {
      node_id: 'worker1',
      max_volumes_per_node: 14,
      accessible_topology: { segments: { 'topology.additional-storage.csi.nifcloud.com/zone': 'east-11' } },
    });
  });

  it('is UNAVAILABLE while the zone is not known', async () => {
    const node = await inZone(() => Promise.reject(new Error('no label yet')));
    assert.match(await failureOf(node.NodeGetInfo({}, patient)), /^UNAVAILABLE: .*zone.*no label yet/);
  });

  it('answers a caller that gives up, whatever it waits for: the disks that it counts may hang', async () => {
    const node = await inZone(() => new Promise(() => undefined));
    const caller = new AbortController();
    const info = failureOf(node.NodeGetInfo({}, caller.signal));
    caller.abort(new RpcError(status.CANCELLED, 'the caller gave up'));
    assert.match(await info, /^CANCELLED/);
  });

  it('promises what it serves', async () => {
    const node = await machine.nodeServer();
    const { capabilities } = await node.NodeGetCapabilities({}, patient);
    assert.deepEqual(
      capabilities?.map(({ rpc }) => rpc?.type),
      ['STAGE_UNSTAGE_VOLUME', 'EXPAND_VOLUME', 'GET_VOLUME_STATS', 'SINGLE_NODE_MULTI_WRITER', 'VOLUME_CONDITION'],
    );
  });
});
