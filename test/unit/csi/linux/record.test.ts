import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from 'chai';
import { StageRecords } from '../../../../csi/linux/record.ts';
import type { StageRecord } from '../../../../csi/linux/record.ts';
import { memoryLogger } from '../node/fake-machine.ts';

describe('StageRecords', () => {
  let folder: string;
  let records: StageRecords;
  const logger = memoryLogger();
  const record: StageRecord = {
    volumeId: 'vol1',
    access: 'mount',
    fileSystem: 'xfs',
    slot: 1,
    device: 'sdb',
    number: '8:16',
    bootId: 'b',
    volumeUniqueId: 'u',
    sizeGB: 100,
    mountFlags: ['noatime'],
    formatting: true,
    unfinishedReadOnly: [],
  };

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'records-')), 'a/b');
    records = await StageRecords.open(folder, logger);
  });
  afterEach(() => rm(join(folder, '../..'), { recursive: true }));

  it('gives back what was saved last, also to the next process', async () => {
    await records.save(record);
    await records.save({ ...record, formatting: false });
    const next = await StageRecords.open(folder, logger);
    assert.deepEqual(await next.get('vol1'), { ...record, formatting: false });
    assert.deepEqual(await next.all(), [{ ...record, formatting: false }]);
  });

  it('leaves no file of a volume that was removed', async () => {
    await records.save(record);
    await writeFile(records.lockFile('vol1'), '');
    await records.remove('vol1');
    await records.remove('vol1');
    assert.deepEqual(await readdir(folder), []);
    assert.isUndefined(await records.get('vol1'));
  });

  it('reads a record of an earlier version, which had only ext4 to mount', async () => {
    const { access: _access, fileSystem: _fileSystem, ...old } = record;
    await writeFile(join(folder, 'vol1.json'), JSON.stringify(old));
    assert.deepEqual(await records.get('vol1'), { ...record, access: 'mount', fileSystem: 'ext4' });
  });

  it('keeps of a volume that has left that its mkfs did not end, and nothing else', async () => {
    await records.save(record);
    await writeFile(records.lockFile('vol1'), '');
    await records.unstage('vol1');
    await records.unstage('vol1');
    assert.deepEqual(await records.get('vol1'), { ...record, device: '', number: '' });
    assert.deepEqual(await records.all(), []);
    assert.deepEqual(await readdir(folder), ['vol1.json']);
    await records.save({ ...record, formatting: false });
    await records.unstage('vol1');
    await records.unstage('vol1');
    assert.deepEqual(await readdir(folder), []);
  });

  it('takes a record that can not be read for doubt, not for absence', async () => {
    const unknown = JSON.stringify({ ...record, fileSystem: 'zfs' });
    for (const text of ['', '{', '{"volumeId":"vol1"}', '{"volumeId":"vol1","slot":"1"}', unknown]) {
      await writeFile(join(folder, 'vol1.json'), text);
      const failure = await records.get('vol1').then(String, String);
      assert.match(failure, /can't be read/);
    }
  });

  it('does not let one such record hide the others', async () => {
    await writeFile(join(folder, 'vol0.json'), '{');
    await records.save(record);
    assert.deepEqual(await records.all(), [record]);
  });

  it('does not read outside its folder, whatever the id', async () => {
    await writeFile(join(folder, '../vol2.json'), JSON.stringify(record));
    for (const id of ['../vol2', '', '.', '..', 'a/b', 'x'.repeat(500)]) {
      assert.isUndefined(await records.get(id));
      assert.throws(() => StageRecords.requireVolumeId(id), /is not the id of a volume/);
    }
  });
});
