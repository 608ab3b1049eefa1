import { assert } from 'chai';
import { growToDevice, planGrowth } from '../../../../csi/linux/growth.ts';
import type { ToolResult } from '../../../../csi/linux/tools.ts';

describe('planGrowth', () => {
  it('grows a file system that falls short of its disk', () => assert.equal(planGrowth(100e9, 200e9), 'grow'));
  it('leaves one alone that lacks a last block group that is too small', () => {
    assert.equal(planGrowth(100e9 - 100e6, 100e9), 'none');
  });
  it('sees that a disk is smaller than what is on it', () =>
    assert.equal(planGrowth(100e9, 100e9 - 4096), 'truncated'));
  it('does not guess', () => assert.equal(planGrowth(undefined, 100e9), 'unknown'));
});

/** How a tool ended that says this. */
function said(words: string, exitCode = 0): ToolResult {
  return { commandLine: 'grow', exitCode, stdout: words, stderr: '' };
}

describe('growToDevice', () => {
  it('calls no tool when there is nothing to do', async () => {
    const complaint = await growToDevice(
      100e9,
      async () => 100e9,
      () => assert.fail('grown'),
    );
    assert.isUndefined(complaint);
  });

  it('goes by the size that the file system has afterwards, not by what the tool says', async () => {
    let bytes: number | undefined = 100e9;
    const measure = async (): Promise<number | undefined> => bytes;
    const grown = await growToDevice(200e9, measure, async () => {
      bytes = 200e9;
      return said('some trouble', 1);
    });
    assert.isUndefined(grown);
    assert.match((await growToDevice(300e9, measure, async () => said('no change'))) ?? '', /no change/);
  });

  it('takes a size that is not known for one that falls short', async () => {
    const complaint = await growToDevice(
      100e9,
      async () => undefined,
      async () => said('not mounted', 1),
    );
    assert.match(complaint ?? '', /not mounted/);
  });
});
