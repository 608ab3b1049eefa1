import { assert } from 'chai';
import { btrfsFeatures } from '../../../../csi/linux/btrfs.ts';
import { version } from '../../../../csi/linux/tools.ts';

describe('btrfsFeatures', () => {
  it('takes out what Linux 5.4 can not write to, from the version on that makes it by default', () => {
    assert.include(btrfsFeatures(version(6, 19)).join(' '), '-O ^block-group-tree');
    assert.include(btrfsFeatures(version(7, 0)).join(' '), '-O ^block-group-tree');
  });

  it('names nothing that an older version does not know', () => {
    assert.deepEqual(btrfsFeatures(version(6, 2)), ['-m', 'dup', '-d', 'single']);
  });
});
