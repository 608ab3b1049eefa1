import { assert } from 'chai';
import { fsckVerdict, parseExt4Bytes, planGrowth } from '../../../../csi/linux/ext4.ts';

describe('fsckVerdict', () => {
  const cases: readonly (readonly [number, ReturnType<typeof fsckVerdict>])[] = [
    [0, 'clean'],
    [1, 'clean'],
    [3, 'clean'],
    [4, 'broken'],
    [5, 'broken'],
    [8, 'doubtful'],
    [12, 'broken'],
    [32, 'doubtful'],
    // flock could not start e2fsck; a shared library is missing; killed by SIGKILL
    [69, 'broken'],
    [128, 'broken'],
    [137, 'broken'],
  ];
  for (const [exitCode, verdict] of cases) {
    it(`is ${verdict} for exit code ${exitCode}`, () => assert.equal(fsckVerdict(exitCode), verdict));
  }
});

describe('planGrowth', () => {
  it('grows a file system that falls short of its disk', () => assert.equal(planGrowth(100e9, 200e9), 'grow'));
  it('leaves one alone that lacks a last block group that is too small', () => {
    assert.equal(planGrowth(100e9 - 100e6, 100e9), 'none');
  });
  it('sees that a disk is smaller than what is on it', () =>
    assert.equal(planGrowth(100e9, 100e9 - 4096), 'truncated'));
  it('does not guess', () => assert.equal(planGrowth(undefined, 100e9), 'unknown'));
});

describe('parseExt4Bytes', () => {
  it('finds count and size among the lines of dumpe2fs', () => {
    const text = 'Inode count:  6111232\nBlock count:  24414062\nReserved block count: 0\nBlock size:   4096\n';
    assert.equal(parseExt4Bytes(text), 24414062 * 4096);
  });
  it('is undefined when one is missing', () => {
    assert.isUndefined(parseExt4Bytes('Block count: 24414062\n'));
    assert.isUndefined(parseExt4Bytes(''));
  });
});
