import { assert } from 'chai';
import { fsckVerdict, parseExtBytes } from '../../../../csi/linux/ext.ts';

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

describe('parseExtBytes', () => {
  it('finds count and size among the lines of dumpe2fs', () => {
    const text = 'Inode count:  6111232\nBlock count:  24414062\nReserved block count: 0\nBlock size:   4096\n';
    assert.equal(parseExtBytes(text), 24414062 * 4096);
  });
  it('is undefined when one is missing', () => {
    assert.isUndefined(parseExtBytes('Block count: 24414062\n'));
    assert.isUndefined(parseExtBytes(''));
  });
});
