import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
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

/** The cloud's states are looked at every 300 ms. */
const HURRIED = `--import=${fileURLToPath(new URL('../hurried-clock.ts', import.meta.url))}`;

/** As ListVolumes and ControllerGetVolume have it. */
interface Entry {
  readonly volume: { readonly volume_id: string };
  readonly status: object;
}

async function refusal(client: CsiClient, request: object): Promise<{ code: string; text: string }> {
  try {
    await client.call('Controller', 'CreateVolume', request);
  } catch (error) {
    const { code, details } = error as CsiError;
    return { code: status[code], text: details };
  }
  throw new Error('CreateVolume succeeded');
}

/** Makes the VolumeAttachment that the attach-detach controller would. */
async function wantOnNode(world: World, volumeHandle: string, nodeName: string): Promise<void> {
  const attacher = 'additional-storage.csi.nifcloud.com';
  const digest = createHash('sha256').update(`${volumeHandle}${attacher}${nodeName}`).digest('hex');
  await world.kube('POST', '/apis/storage.k8s.io/v1/volumeattachments', {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name: `csi-${digest}` },
    spec: { attacher, nodeName, source: { persistentVolumeName: REQUEST.name } },
  });
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
      'a mutable parameter that cannot change',
      { mutable_parameters: { type: 'flash' } },
      'INVALID_ARGUMENT',
      /type.*accountingType/,
    ],
    [
      'another file system',
      { volume_capabilities: [{ mount: { fs_type: 'ntfs' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } }] },
      'INVALID_ARGUMENT',
      /ntfs.*ext4/,
    ],
    [
      'a shared access mode',
      { volume_capabilities: [{ block: {}, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }] },
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

  it('says UNAVAILABLE when the cloud refuses its signature: a final code would make the provisioner forget a disk', async () => {
    const client = await world.startCsiController(
      'keys',
      world.environment({ NIFCLOUD_SECRET_ACCESS_KEY: 'not-the-secret' }),
    );
    const answer = await refusal(client, REQUEST);
    expect(answer.code).to.equal('UNAVAILABLE');
    expect(answer.text).to.match(/Client\.AuthFailure/);
    client.close();
  });

  it('lists, shows and modifies a raw block volume on its node, as the sidecars ask for it', async () => {
    const client = await world.startCsiController('sidecars', world.environment({ NODE_OPTIONS: HURRIED }));
    const call = <T>(method: string, request: object): Promise<T> => client.call('Controller', method, request);
    const volume_capability = { block: {}, access_mode: { mode: 'SINGLE_NODE_MULTI_WRITER' } };
    const { volume } = await call<Entry>('CreateVolume', { ...REQUEST, volume_capabilities: [volume_capability] });
    const { volume_id } = volume;
    await wantOnNode(world, volume_id, 'node02');
    await call('ControllerPublishVolume', { volume_id, node_id: 'node02', volume_capability });
    await call('ControllerModifyVolume', { volume_id, mutable_parameters: { accountingType: 'monthly' } });
    const shown = await call<Entry>('ControllerGetVolume', { volume_id });
    expect(shown).to.deep.equal({
      volume,
      status: {
        published_node_ids: ['node02'],
        volume_condition: { abnormal: false, message: 'the disk is attached to node node02' },
      },
    });
    expect(await call<object>('ListVolumes', {})).to.deep.equal({ entries: [shown], next_token: '' });
    await call('ControllerUnpublishVolume', { volume_id, node_id: 'node02' });
    await call('DeleteVolume', { volume_id });
    expect(await call<object>('ListVolumes', {})).to.deep.equal({ entries: [], next_token: '' });
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
