import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { RpcError } from '../../../csi/rpc-error.ts';
import { parseCapability } from '../../../csi/volume-capability.ts';
import type { VolumeCapability__Output } from '../../../proto/gen/csi/v1/VolumeCapability.ts';

/** As proto-loader hands it over: the member of the oneof that was not chosen is absent. */
function mounted(fields: object = {}, mode: unknown = 'SINGLE_NODE_WRITER'): VolumeCapability__Output {
  const mount = { fs_type: '', mount_flags: [], volume_mount_group: '', ...fields };
  return { access_type: 'mount', mount, access_mode: mode === null ? null : { mode: mode as 'UNKNOWN' } };
}

const raw: VolumeCapability__Output = {
  access_type: 'block',
  block: {},
  access_mode: { mode: 'SINGLE_NODE_WRITER' },
};

describe('a volume capability', () => {
  it('without a file system gets ext4', () => {
    expect(parseCapability(mounted())).to.deep.equal({
      access: 'mount',
      fileSystem: 'ext4',
      mountFlags: [],
      accessMode: 'SINGLE_NODE_WRITER',
    });
  });

  for (const fileSystem of ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs'] as const) {
    it(`gets the file system that it names: ${fileSystem}`, () => {
      expect(parseCapability(mounted({ fs_type: fileSystem })).fileSystem).to.equal(fileSystem);
    });
  }

  it('of a raw block volume has no file system and no mount flags', () => {
    expect(parseCapability(raw)).to.deep.equal({
      access: 'block',
      fileSystem: '',
      mountFlags: [],
      accessMode: 'SINGLE_NODE_WRITER',
    });
  });

  it('keeps its mount flags as they are, commas within quotes too', () => {
    const context = 'context="system_u:object_r:container_file_t:s0:c1,c2"';
    const { mountFlags } = parseCapability(mounted({ mount_flags: ['noatime', '', context] }));
    expect(mountFlags).to.deep.equal(['noatime', context]);
  });

  for (const mode of ['SINGLE_NODE_WRITER', 'SINGLE_NODE_SINGLE_WRITER', 'SINGLE_NODE_MULTI_WRITER'] as const) {
    it(`may ask for ${mode}`, () => {
      expect(parseCapability(mounted({}, mode)).accessMode).to.equal(mode);
      expect(parseCapability({ ...raw, access_mode: { mode } }).accessMode).to.equal(mode);
    });
  }

  for (const [what, capability, says] of [
    ['none at all', null, /missing/],
    ['neither mount nor block', { access_mode: { mode: 'SINGLE_NODE_WRITER' } }, /neither mount nor block/],
    ['no access mode', mounted({}, null), /UNKNOWN.*SINGLE_NODE_WRITER/],
    ['an access mode that nobody has told us of', mounted({}, 42), /42.*SINGLE_NODE_WRITER/],
    [
      'readers on many nodes',
      mounted({}, 'MULTI_NODE_READER_ONLY'),
      /MULTI_NODE_READER_ONLY.*SINGLE_NODE_MULTI_WRITER/,
    ],
    ['writers on many nodes', { ...raw, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }, /ReadWriteOncePod/],
    ['another file system', mounted({ fs_type: 'ntfs' }), /"ntfs".*ext2, ext3, ext4, xfs, btrfs/],
    ['a group for the volume', mounted({ volume_mount_group: '1000' }), /volume_mount_group/],
  ] as const) {
    it(`is refused: ${what}`, () => {
      expect(() => parseCapability(capability))
        .to.throw(RpcError, says)
        .with.property('code', status.INVALID_ARGUMENT);
    });
  }
});
