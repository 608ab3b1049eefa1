import { expect } from 'chai';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { DISK_TYPES, Volumes, type Volume } from '../../../nifcloud/volumes.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf, RecordedApi } from './recorded-api.ts';

const never = new AbortController().signal;

// docs/reference/nifcloud-api.md §3.4
const VOL01 = `<item>
 <volumeId>vol01</volumeId><volumeUniqueId>vol-0abc1def</volumeUniqueId><size>100</size>
 <diskType>Standard Flash Storage A</diskType><snapshotId/><availabilityZone>east-11</availabilityZone>
 <accountingType>2</accountingType><nextMonthAccountingType>1</nextMonthAccountingType><status>in-use</status>
 <createTime>2025-01-02T12:04:05.000+09:00</createTime>
 <attachmentSet><item><volumeId>vol01</volumeId><volumeUniqueId>vol-0abc1def</volumeUniqueId><instanceId>node01</instanceId>
  <instanceUniqueId>i-0abc1def</instanceUniqueId><device>SCSI (0:1)</device><status>attached</status>
  <attachTime>2025-01-02T12:04:35.000+09:00</attachTime></item></attachmentSet><description>pvc-1</description>
</item>`;

/** A volume that is attached as these entries say. */
function withAttachments(entries: string): string {
  return `<volumeSet><item><volumeId>v</volumeId><attachmentSet>${entries}</attachmentSet></item></volumeSet>`;
}

const notFound = new NifcloudError({
  action: 'DescribeVolumes',
  code: 'Client.InvalidParameterNotFound.Volume',
  detail: '',
  outcome: 'refused',
});

describe('volumes', () => {
  let clock: FakeClock;
  beforeEach(() => {
    clock = new FakeClock();
  });

  async function list(content: string): Promise<readonly Volume[]> {
    const listing = new Volumes(new RecordedApi(() => content), clock, 3_000).list(never);
    listing.catch(() => {});
    await clock.advance(5);
    return listing;
  }

  it('are read as the cloud describes them', async () => {
    expect(await list(`<volumeSet>${VOL01}</volumeSet>`)).to.deep.equal([
      {
        id: 'vol01',
        uniqueId: 'vol-0abc1def',
        sizeGB: 100,
        diskType: 'Standard Flash Storage A',
        zone: 'east-11',
        accountingType: '2',
        nextMonthAccountingType: '1',
        status: 'in-use',
        description: 'pvc-1',
        createdAt: '2025-01-02T12:04:05.000+09:00',
        attachments: [{ serverName: 'node01', serverUniqueId: 'i-0abc1def', status: 'attached', device: 'SCSI (0:1)' }],
      },
    ]);
  });

  it('have no attachment when the set is empty, and one when its server is not named', async () => {
    expect((await list(withAttachments('')))[0]!.attachments).to.deep.equal([]);
    const unnamed = await list(withAttachments('<item><status>detaching</status></item>'));
    expect(unnamed[0]!.attachments).to.have.length(1);
  });

  it('have a size that compares with nothing when the cloud does not say it', async () => {
    const [volume] = await list('<volumeSet><item><volumeId>v</volumeId><size/></item></volumeSet>');
    expect(volume!.sizeGB < 200 || volume!.sizeGB >= 0).to.equal(false);
  });

  it('are not known at all when an entry lacks its name: it might be any of them', async () => {
    const error = await errorOf(
      list(`<volumeSet>${VOL01}<item><volumeUniqueId>vol-1</volumeUniqueId></item></volumeSet>`),
    );
    expect(String(error)).to.contain('<volumeId>');
  });

  it('have types with distinct codes, texts and names', () => {
    for (const field of ['code', 'answer', 'storageClass'] as const) {
      expect(new Set(DISK_TYPES.map((type) => type[field])).size).to.equal(DISK_TYPES.length);
    }
  });

  describe('are changed by calls that', () => {
    const create = {
      id: 'v1',
      sizeGB: 200,
      diskType: '6',
      accountingType: '2',
      description: 'pvc-1',
      serverName: 'node01',
    };

    const calls: [string, (volumes: Volumes) => Promise<unknown>, string, Record<string, string>][] = [
      [
        'create',
        (volumes) => volumes.create(create, never),
        'CreateVolume',
        { VolumeId: 'v1', Size: '200', DiskType: '6', AccountingType: '2', Description: 'pvc-1', InstanceId: 'node01' },
      ],
      [
        'attach',
        (volumes) => volumes.attach({ volumeId: 'v1', serverName: 'node01' }, never),
        'AttachVolume',
        { VolumeId: 'v1', InstanceId: 'node01' },
      ],
      [
        'detach',
        (volumes) => volumes.detach({ volumeId: 'v1', serverName: 'node01' }, never),
        'DetachVolume',
        { VolumeId: 'v1', InstanceId: 'node01', Agreement: 'true' },
      ],
      ['delete', (volumes) => volumes.delete('v1', never), 'DeleteVolume', { VolumeId: 'v1' }],
      [
        'extend',
        (volumes) => volumes.extend('v1', never),
        'ExtendVolumeSize',
        { VolumeId: 'v1', NiftyReboot: 'false' },
      ],
      [
        'rename',
        (volumes) => volumes.rename('v1', 'v2', never),
        'ModifyVolumeAttribute',
        { VolumeId: 'v1', Attribute: 'volumeName', Value: 'v2' },
      ],
      [
        'set the description',
        (volumes) => volumes.setDescription('v1', 'テスト 1', never),
        'ModifyVolumeAttribute',
        { VolumeId: 'v1', Attribute: 'description', Value: 'テスト 1' },
      ],
      [
        'set the accounting type',
        (volumes) => volumes.setAccountingType('v1', '1', never),
        'ModifyVolumeAttribute',
        { VolumeId: 'v1', Attribute: 'accountingType', Value: '1' },
      ],
    ];
    for (const [verb, call, action, sent] of calls) {
      it(verb, async () => {
        const api = new RecordedApi(() => '<volumeId>v1</volumeId><volumeUniqueId>vol-1</volumeUniqueId>');
        await call(new Volumes(api, clock, 3_000));
        expect(api.calls).to.deep.equal([{ kind: 'mutate', action, sent }]);
      });
    }

    it('create: answer with what was made', async () => {
      const api = new RecordedApi(
        () =>
          '<volumeId>v1</volumeId><volumeUniqueId>vol-1</volumeUniqueId><size>200</size><availabilityZone>east-11</availabilityZone>',
      );
      expect(await new Volumes(api, clock, 3_000).create(create, never)).to.deep.equal({
        id: 'v1',
        uniqueId: 'vol-1',
        zone: 'east-11',
        sizeGB: 200,
      });
    });

    it('attach: answer with what was attached to what', async () => {
      const api = new RecordedApi(
        () =>
          '<instanceUniqueId>i-1</instanceUniqueId><volumeUniqueId>vol-1</volumeUniqueId><device>SCSI (0:2)</device>',
      );
      const attached = await new Volumes(api, clock, 3_000).attach({ volumeId: 'v1', serverName: 'node01' }, never);
      expect(attached).to.deep.equal({ serverUniqueId: 'i-1', volumeUniqueId: 'vol-1', device: 'SCSI (0:2)' });
    });

    for (const sizeGB of [0, 1, 40, 99, 150, Number.NaN]) {
      it(`create: refuse a size of ${sizeGB}, which the cloud could take for another`, async () => {
        const api = new RecordedApi();
        const error = await errorOf(new Volumes(api, clock, 3_000).create({ ...create, sizeGB }, never));
        expect(error).to.be.instanceOf(RangeError);
        expect(api.calls).to.deep.equal([]);
      });
    }

    const refusals: [what: string, call: (volumes: Volumes) => Promise<unknown>, message: RegExp][] = [
      ['an id with a hyphen', (volumes) => volumes.create({ ...create, id: 'pvc-1' }, never), /1 to 32 .*"pvc-1"/],
      ['a long id', (volumes) => volumes.rename('v1', 'x'.repeat(33), never), /1 to 32/],
      ['an empty id', (volumes) => volumes.rename('v1', '', never), /1 to 32/],
      [
        'a long description',
        (volumes) => volumes.create({ ...create, description: 'x'.repeat(41) }, never),
        /at most 40 characters, not 41/,
      ],
      ['no description', (volumes) => volumes.setDescription('v1', '', never), /is empty/],
      ['an unknown accounting type', (volumes) => volumes.setAccountingType('v1', '3', never), /1, 2, not "3"/],
    ];
    for (const [what, call, message] of refusals) {
      it(`are not sent with ${what}`, async () => {
        const api = new RecordedApi();
        expect(String(await errorOf(call(new Volumes(api, clock, 3_000))))).to.match(message);
        expect(api.calls).to.deep.equal([]);
      });
    }

    it('count characters of a description, not bytes', async () => {
      const api = new RecordedApi();
      await new Volumes(api, clock, 3_000).setDescription('v1', '🗻'.repeat(40), never);
      expect(api.calls).to.have.length(1);
    });

    it('detach: refuse to go without a server, since that would detach from all', async () => {
      const api = new RecordedApi();
      expect(
        await errorOf(new Volumes(api, clock, 3_000).detach({ volumeId: 'v1', serverName: '' }, never)),
      ).to.be.instanceOf(TypeError);
      expect(api.calls).to.deep.equal([]);
    });
  });

  describe('that are waited for', () => {
    let existing: Set<string>;
    let asked: string[];
    let volumes: Volumes;
    let partialAnswers: boolean;

    beforeEach(() => {
      existing = new Set(['a', 'b']);
      asked = [];
      partialAnswers = false;
      // A cloud that refuses a filtered call as a whole when one name is unknown, or leaves that one out.
      const api = new RecordedApi((_action, sent) => {
        const names = Object.values(sent);
        asked.push(names.length === 0 ? 'all' : names.join(' '));
        if (!partialAnswers && names.some((name) => !existing.has(name))) throw notFound;
        const shown = [...existing].filter((name) => names.length === 0 || names.includes(name));
        return `<volumeSet>${shown.map((name) => `<item><volumeId>${name}</volumeId></item>`).join('')}</volumeSet>`;
      });
      volumes = new Volumes(api, clock, 3_000);
    });

    const untilGone = (id: string): Promise<string> =>
      volumes.until(id, (volume) => (volume === undefined ? `${id} gone` : undefined), never);
    const untilThere = (id: string): Promise<string> => volumes.until(id, (volume) => volume?.id, never);

    it('are asked for by their names, in one call a tick', async () => {
      void untilGone('a');
      void untilGone('b');
      await clock.advance(3_500);
      expect(asked).to.deep.equal(['a b', 'a b']);
    });

    for (const partial of [false, true]) {
      it(`are looked up in the full list when one is gone and the cloud ${partial ? 'leaves it out' : 'refuses the call'}`, async () => {
        partialAnswers = partial;
        const gone = untilGone('a');
        const staying = untilGone('b');
        existing.delete('a');
        await clock.advance(3_005);
        expect(await gone).to.equal('a gone');
        expect(asked).to.deep.equal(['a b', 'all']);
        existing.delete('b');
        await clock.advance(3_005);
        expect(await staying).to.equal('b gone');
      });
    }

    it('cost one call a tick also while one of several does not exist yet', async () => {
      void untilGone('a');
      const coming = untilThere('c');
      await clock.advance(4_005);
      expect(asked).to.deep.equal(['a c', 'all', 'all', 'all']);
      existing.add('c');
      await clock.advance(500);
      expect(await coming).to.equal('c');
      await clock.advance(600);
      expect(asked.slice(4)).to.deep.equal(['all', 'a']);
    });

    it('cost one call to be found gone when nothing else is waited for', async () => {
      existing.delete('a');
      const gone = untilGone('a');
      await clock.advance(3_005);
      expect(await gone).to.equal('a gone');
      expect(asked).to.deep.equal(['a']);
    });

    it('are not taken for gone when the call fails for another reason', async () => {
      const failing = new Volumes(
        new RecordedApi(() => {
          throw new Error('lost');
        }),
        clock,
        3_000,
      );
      let shown = 0;
      const waiting = errorOf(failing.until('a', () => ((shown += 1), undefined), never));
      await clock.advance(9_000);
      expect(String(await waiting)).to.equal('Error: lost');
      expect(shown).to.equal(0);
    });
  });
});
