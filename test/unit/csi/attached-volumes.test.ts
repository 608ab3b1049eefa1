import { assert } from 'chai';
import { attachedVolumes } from '../../../csi/attached-volumes.ts';

const named = (...names: readonly string[]) => ({
  status: { volumesAttached: names.map((name) => ({ name, devicePath: '' })) },
});
const ours = (handle: string): string => `kubernetes.io/csi/additional-storage.csi.nifcloud.com^${handle}`;

describe('attachedVolumes', () => {
  it('names the volumes of this driver, and no others', () => {
    const node = named(ours('a1b2c3d4'), 'kubernetes.io/csi/nfs.csi.k8s.io^share', ours('0123456789abcdef'));
    assert.deepEqual([...attachedVolumes(node)], ['a1b2c3d4', '0123456789abcdef']);
  });

  it('names none on a Node to which nothing is attached, or that has no status yet', () => {
    assert.isEmpty(attachedVolumes(named()));
    assert.isEmpty(attachedVolumes({ status: {} }));
    assert.isEmpty(attachedVolumes({}));
  });
});
