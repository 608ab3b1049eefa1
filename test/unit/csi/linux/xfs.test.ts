import { assert } from 'chai';
import { version } from '../../../../csi/linux/tools.ts';
import { parseXfsBytes, xfsFeatures } from '../../../../csi/linux/xfs.ts';

describe('xfsFeatures', () => {
  const ALWAYS = ['crc=1', 'finobt=1', 'reflink=1', 'rmapbt=0', 'sparse=1'];
  const BIG_TIME = [...ALWAYS, 'bigtime=0', 'inobtcount=0'];
  const LARGE_COUNTS = [...BIG_TIME, 'nrext64=0'];
  const cases: readonly (readonly [major: number, minor: number, features: readonly string[]])[] = [
    [4, 20, ALWAYS],
    [5, 3, ALWAYS],
    [5, 15, BIG_TIME],
    [6, 1, LARGE_COUNTS],
    [6, 6, LARGE_COUNTS],
    [6, 18, [...LARGE_COUNTS, 'exchange=0', 'parent=0']],
  ];
  for (const [major, minor, features] of cases) {
    it(`names to mkfs.xfs ${major}.${minor} what Linux 5.4 may lack and that version may make, and nothing it does not know`, () => {
      const options = xfsFeatures(version(major, minor));
      const named = options.filter((word) => !word.startsWith('-')).flatMap((list) => list.split(','));
      assert.sameMembers(named, [...features]);
    });
  }
});

describe('parseXfsBytes', () => {
  it('finds the size of the data section, not that of the log', () => {
    const text =
      'meta-data=/dev/sdb               isize=512    agcount=4, agsize=6103516 blks\n' +
      'data     =                       bsize=4096   blocks=24414062, imaxpct=25\n' +
      'log      =internal log           bsize=4096   blocks=16384, version=2\n';
    assert.equal(parseXfsBytes(text), 24414062 * 4096);
  });

  it('is undefined when it is not told', () => assert.isUndefined(parseXfsBytes('')));
});
