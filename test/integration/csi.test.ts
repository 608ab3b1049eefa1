import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { CsiClient, CsiError } from '../../demo/csi-client.ts';
import { freePort } from './free-port.ts';
import { World } from './world.ts';

const REQUEST = {
  name: 'pvc-0b1c6cf2-9f6e-4d6e-8a36-0d2f7c4f1e11',
  capacity_range: { required_bytes: String(10 * 2 ** 30) },
  volume_capabilities: [{ mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } }],
  parameters: { type: 'standard' },
  accessibility_requirements: {
    preferred: [{ segments: { 'topology.additional-storage.csi.nifcloud.com/zone': 'east-12' } }],
  },
};

async function refusal(client: CsiClient, request: object): Promise<{ code: string; text: string }> {
  try {
    await client.call('Controller', 'CreateVolume', request);
  } catch (error) {
    const { code, details } = error as CsiError;
    return { code: status[code], text: details };
  }
  throw new Error('CreateVolume succeeded');
}

describe('the controller of the CSI driver as a process', () => {
  let world: World;
  before(async () => {
    world = await World.start();
    const taints: readonly object[] = [];
    for (const { name, zone, uniqueId } of world.cloud.state().servers) {
      const spec = { providerID: `nifcloud:///${zone}/${uniqueId}`, taints };
      const conditions = [{ type: 'Ready', status: 'True' }];
      await world.kube('POST', '/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        spec,
        status: { conditions },
      });
    }
  });
  after(() => world.stop());

  const table: readonly [string, object, string, RegExp][] = [
    [
      'an unknown StorageClass parameter',
      { parameters: { tpye: 'standard' } },
      'INVALID_ARGUMENT',
      /tpye.*known are.*accountingType/,
    ],
    [
      'a value that is not allowed',
      { parameters: { type: 'floppy' } },
      'INVALID_ARGUMENT',
      /type.*floppy.*standard-flash-a/,
    ],
    [
      'a raw block volume',
      { volume_capabilities: [{ block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } }] },
      'INVALID_ARGUMENT',
      /block/,
    ],
    [
      'another file system',
      { volume_capabilities: [{ mount: { fs_type: 'xfs' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } }] },
      'INVALID_ARGUMENT',
      /xfs.*ext4/,
    ],
    [
      'a shared access mode',
      { volume_capabilities: [{ mount: {}, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }] },
      'INVALID_ARGUMENT',
      /SINGLE_NODE_WRITER/,
    ],
    [
      'a limit under the smallest disk',
      { capacity_range: { required_bytes: '1', limit_bytes: String(50 * 2 ** 30) } },
      'OUT_OF_RANGE',
      /100/,
    ],
    [
      'a zone without our key',
      { accessibility_requirements: { preferred: [{ segments: { zone: 'east-12' } }] } },
      'INVALID_ARGUMENT',
      /topology\.additional-storage/,
    ],
    [
      'a zone without servers',
      {
        accessibility_requirements: {
          preferred: [{ segments: { 'topology.additional-storage.csi.nifcloud.com/zone': 'east-14' } }],
        },
      },
      'RESOURCE_EXHAUSTED',
      /east-14/,
    ],
  ];

  it('refuses what it does not understand, says what is allowed, and creates nothing', async () => {
    const client = await world.startCsiController('csi', world.environment({ NODE_NAME: 'node01' }));
    for (const [what, difference, code, says] of table) {
      const answer = await refusal(client, { ...REQUEST, ...difference });
      expect(answer.code, what).to.equal(code);
      expect(answer.text, what).to.match(says);
    }
    expect(world.cloud.calls().filter(({ mutating }) => mutating)).to.deep.equal([]);
    client.close();
  });

  it('says UNAUTHENTICATED when the cloud refuses its signature', async () => {
    const client = await world.startCsiController(
      'keys',
      world.environment({ NIFCLOUD_SECRET_ACCESS_KEY: 'not-the-secret' }),
    );
    expect((await refusal(client, REQUEST)).code).to.equal('UNAUTHENTICATED');
    client.close();
  });

  it('says UNAVAILABLE when the cloud cannot be reached', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const client = await world.startCsiController('far', world.environment({ NIFCLOUD_ENDPOINT: endpoint }));
    const { code, text } = await refusal(client, REQUEST);
    expect(code).to.equal('UNAVAILABLE');
    expect(text).to.match(/ECONNREFUSED/);
    client.close();
  });
});
