import { assert } from 'chai';
import * as fc from 'fast-check';
import { parseBlkid } from '../../../../csi/linux/probe.ts';

describe('parseBlkid', () => {
  it('reads a file system with its UUID', () => {
    const text = 'DEVNAME=/dev/sdb\nUUID=6e696663-0011-8233-8455-66778899aabb\nTYPE=ext4\n';
    const uuid = '6e696663-0011-8233-8455-66778899aabb';
    assert.deepEqual(parseBlkid(0, text), { kind: 'file-system', type: 'ext4', uuid });
    assert.deepEqual(parseBlkid(0, 'DEVNAME=/dev/sdb\nTYPE=squashfs\n'), {
      kind: 'file-system',
      type: 'squashfs',
      uuid: '',
    });
  });

  it('lets a partition table prevail', () => {
    assert.deepEqual(parseBlkid(0, 'DEVNAME=/dev/sda\nPTTYPE=dos\nTYPE=ext4\n'), { kind: 'partitions', table: 'dos' });
  });

  it('knows the answers for contradicting signatures and for none', () => {
    assert.deepEqual(parseBlkid(8, ''), { kind: 'ambivalent' });
    assert.deepEqual(parseBlkid(2, ''), { kind: 'none' });
  });

  it('never takes any other answer for "nothing there"', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.string(), (exitCode, text) => {
        if (exitCode !== 2) assert.notDeepEqual(parseBlkid(exitCode, text), { kind: 'none' });
      }),
    );
    assert.isUndefined(parseBlkid(0, ''));
    assert.isUndefined(parseBlkid(0, 'DEVNAME=/dev/sdb\nLABEL=x\n'));
    assert.isUndefined(parseBlkid(4, ''));
  });
});
