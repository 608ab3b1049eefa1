import { assert } from 'chai';
import * as fc from 'fast-check';
import { fileSystemUuid, isDiskOf, isOurUuid, planContent } from '../../../../csi/linux/content.ts';
import type { DiskContent, WantedContent } from '../../../../csi/linux/content.ts';
import { FILE_SYSTEMS } from '../../../../csi/volume-capability.ts';

describe('the UUID of a file system', () => {
  it('is of version 8 (RFC 9562), says "nifc", and is recognised as ours', () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        const uuid = fileSystemUuid(id);
        assert.match(uuid, /^6e696663-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
        assert.isTrue(isOurUuid(uuid));
        assert.isTrue(isOurUuid(uuid.toUpperCase()));
      }),
    );
  });

  it('stays what it is for ever: disks carry it', () => {
    assert.equal(fileSystemUuid('vol-0abc1def'), '6e696663-2d14-8dc9-8983-190b80897de9');
  });

  it('differs from disk to disk', () => {
    const ids = Array.from({ length: 1000 }, (_, index) => fileSystemUuid(`vol-${index}`));
    assert.equal(new Set(ids).size, 1000);
  });

  it('is not taken for ours when somebody else made it', () => {
    for (const uuid of ['', 'b5c2ad9b-7b1b-4a9e-8b0b-0123456789ab', '6e696663-7b1b-4a9e-8b0b-0123456789ab']) {
      assert.isFalse(isOurUuid(uuid));
    }
  });
});

describe('isDiskOf', () => {
  it('takes both meanings of GB, and what lies between', () => {
    for (const bytes of [100e9, 100 * 2 ** 30, 104e9]) assert.isTrue(isDiskOf(100, bytes));
    for (const bytes of [0, 100e9 - 512, 100 * 2 ** 30 + 512, 150e9]) assert.isFalse(isDiskOf(100, bytes));
  });
});

describe('planContent', () => {
  const ours = fileSystemUuid('u1');
  const others = fileSystemUuid('u2');
  const foreign = 'b5c2ad9b-7b1b-4a9e-8b0b-0123456789ab';
  const seen = fc.record<DiskContent>({
    signature: fc.oneof(
      fc.constant({ kind: 'none' as const }),
      fc.constant({ kind: 'ambivalent' as const }),
      fc.constant({ kind: 'partitions' as const, table: 'gpt' }),
      fc.record({
        kind: fc.constant('file-system' as const),
        type: fc.constantFrom('ext4', 'ext3', 'xfs', 'swap'),
        uuid: fc.constantFrom(ours, others, foreign, ''),
      }),
    ),
    zeros: fc.constantFrom(true, false, undefined),
    hasBackup: fc.boolean(),
    unfinished: fc.boolean(),
    sizeBytes: fc.constantFrom(100e9, 100 * 2 ** 30, 150e9),
    formatBegun: fc.boolean(),
  });
  const wanted = fc.record<WantedContent>({
    fileSystem: fc.constantFrom(...FILE_SYSTEMS),
    readOnly: fc.boolean(),
    volumeUniqueId: fc.constantFrom('u1', ''),
    sizeGB: fc.constantFrom(100, undefined),
    formatNonzero: fc.boolean(),
  });

  it('formats nothing on which anything is recognised, that is of no ordered size, or to be read only', () => {
    fc.assert(
      fc.property(seen, wanted, (content, want) => {
        if (planContent(content, want).do !== 'format') return;
        assert.isFalse(want.readOnly);
        assert.isTrue(want.sizeGB === undefined || content.sizeBytes < 150e9);
        const { signature } = content;
        if (signature.kind === 'file-system') {
          assert.isTrue(content.unfinished && want.volumeUniqueId === 'u1' && signature.uuid === ours);
          return;
        }
        assert.equal(signature.kind, 'none');
        const allowed =
          want.formatNonzero && want.sizeGB !== undefined && content.zeros === false && !content.hasBackup;
        assert.isTrue(content.zeros === true || content.formatBegun || allowed);
      }),
    );
  });

  it('formats an empty disk that has grown by whole steps since it was attached, but no smaller or odd one', () => {
    for (const bytes of [200e9, 200 * 2 ** 30, 1500e9]) {
      assert.equal(planContent({ ...empty, sizeBytes: bytes }, want).do, 'format', `${bytes} bytes`);
    }
    for (const bytes of [100e9 - 512, 150e9, 199e9, 200 * 2 ** 30 + 512]) {
      assert.equal(planContent({ ...empty, sizeBytes: bytes }, want).do, 'refuse', `${bytes} bytes`);
    }
    assert.equal(planContent({ ...empty, sizeBytes: 200e9 }, { ...want, sizeGB: 300 }).do, 'refuse');
  });

  it('mounts only what is wanted and complete, and none that it made for another disk', () => {
    fc.assert(
      fc.property(seen, wanted, (content, want) => {
        if (planContent(content, want).do !== 'mount') return;
        const { signature } = content;
        assert.isTrue(signature.kind === 'file-system' && signature.type === want.fileSystem && !content.unfinished);
        if (want.volumeUniqueId !== '') assert.notDeepInclude(signature, { uuid: others });
      }),
    );
  });

  const want: WantedContent = {
    fileSystem: 'ext4',
    readOnly: false,
    volumeUniqueId: 'u1',
    sizeGB: 100,
    formatNonzero: false,
  };
  const empty: DiskContent = {
    signature: { kind: 'none' },
    zeros: true,
    hasBackup: false,
    unfinished: false,
    sizeBytes: 100e9,
    formatBegun: false,
  };

  const withUuid = (uuid: string): DiskContent => ({
    ...empty,
    signature: { kind: 'file-system', type: 'ext4', uuid },
  });

  it('formats an empty disk, also one that the Go driver attached', () => {
    assert.equal(planContent(empty, want).do, 'format');
    assert.equal(planContent(empty, { ...want, volumeUniqueId: '', sizeGB: undefined }).do, 'format');
  });

  it('repeats an mkfs of its own, but formats nothing else that is not empty, or was not read', () => {
    for (const zeros of [false, undefined]) {
      assert.equal(planContent({ ...empty, zeros, formatBegun: true }, want).do, 'format');
      assert.equal(planContent({ ...empty, zeros }, want).do, 'refuse');
    }
  });

  it('formats a new disk that is not zeros where new disks are not, if its size is known and fits', () => {
    const noise = { ...empty, zeros: false };
    const allowed = { ...want, formatNonzero: true };
    assert.equal(planContent(noise, allowed).do, 'format');
    const refusals = [
      planContent(noise, want),
      planContent({ ...noise, zeros: undefined }, allowed),
      planContent({ ...noise, sizeBytes: 150e9 }, allowed),
      planContent(noise, { ...allowed, sizeGB: undefined }),
      planContent(noise, { ...allowed, readOnly: true }),
    ];
    for (const refusal of refusals) assert.equal(refusal.do, 'refuse');
    assert.match(JSON.stringify(refusals[0]), /--format-nonzero-new-disks/);
  });

  it('repeats an mkfs of xfs that did not end, on whatever node, if it was its own and for this disk', () => {
    const xfs = { ...want, fileSystem: 'xfs' } as const;
    const half = { ...empty, zeros: undefined, unfinished: true };
    const planHalf = (uuid: string, volumeUniqueId = 'u1'): string =>
      planContent({ ...half, signature: { kind: 'file-system', type: 'xfs', uuid } }, { ...xfs, volumeUniqueId }).do;
    assert.equal(planHalf(ours), 'format');
    for (const uuid of [others, foreign, '']) assert.equal(planHalf(uuid), 'refuse', uuid);
    assert.equal(planHalf(fileSystemUuid(''), ''), 'refuse');
  });

  it('takes its own file system in silence and any other with a note', () => {
    assert.deepEqual(planContent(withUuid(ours), want), { do: 'mount' });
    for (const plan of [
      planContent(withUuid(foreign), want),
      planContent(withUuid(''), want),
      planContent(withUuid(others), { ...want, volumeUniqueId: '' }),
    ]) {
      assert.equal(plan.do, 'mount');
      assert.property(plan, 'note');
    }
  });
});
