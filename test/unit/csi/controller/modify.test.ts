import { expect } from 'chai';
import { Crash, lost, refused } from '../disks/model-cloud.ts';
import { ControllerWorld } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';
const toMonthly = { volume_id: ID, mutable_parameters: { accountingType: 'monthly' } };

function accountingOf(world: ControllerWorld): readonly (string | undefined)[] {
  const [disk] = world.cloud.settledState();
  return [disk?.accountingType, disk?.nextMonthAccountingType];
}

describe('ControllerModifyVolume', () => {
  it('has a disk charged otherwise from next month on, in two calls; a repeat changes nothing', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    const modify = (): Promise<unknown> => world.call('ControllerModifyVolume', toMonthly);
    expect(await world.callsOf(modify)).to.deep.equal(['DescribeVolumes', 'ModifyVolumeAttribute']);
    expect(accountingOf(world)).to.deep.equal(['2', '1']);
    expect(await world.callsOf(modify)).to.deep.equal(['DescribeVolumes']);
  });

  it('takes a change back before it holds', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { accountingType: '2', nextMonthAccountingType: '1' });
    await world.call('ControllerModifyVolume', { volume_id: ID, mutable_parameters: { accountingtype: 'hourly' } });
    expect(accountingOf(world)).to.deep.equal(['2', '2']);
  });

  it('goes by what holds now where the cloud says nothing of next month', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { accountingType: '1', nextMonthAccountingType: '' });
    await world.call('ControllerModifyVolume', toMonthly);
    expect(world.cloud.count('ModifyVolumeAttribute')).to.equal(0);
  });

  it('changes nothing when nothing is asked for', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    await world.call('ControllerModifyVolume', { volume_id: ID });
    expect(accountingOf(world)).to.deep.equal(['2', '2']);
  });

  it('leaves a disk in use where it is, and ends what a birth or growth left behind', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    await world.call('ControllerModifyVolume', toMonthly);
    expect([accountingOf(world), world.cloud.serverOf(ID)]).to.deep.equal([['2', '1'], 'node01']);
    world.kube?.removeVolumeAttachments();
    await world.call('ControllerModifyVolume', toMonthly);
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('ends the same wherever the process is killed or an answer is lost', async () => {
    for (const failure of [new Crash(), lost('ModifyVolumeAttribute')]) {
      for (const failing of ['before', 'after'] as const) {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID);
        world.cloud.fault = (action, moment) => {
          if (action === 'ModifyVolumeAttribute' && moment === failing) throw failure;
        };
        await world.call('ControllerModifyVolume', toMonthly).catch(() => undefined);
        world.cloud.fault = () => undefined;
        world.restart();
        await world.call('ControllerModifyVolume', toMonthly);
        expect(accountingOf(world)).to.deep.equal(['2', '1']);
      }
    }
  });

  it('waits while the cloud is busy with the disk', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    let refusals = 0;
    world.cloud.fault = (action, moment) => {
      if (action !== 'ModifyVolumeAttribute' || moment !== 'before' || refusals >= 2) return;
      refusals += 1;
      throw refused(action, 'Server.ResourceIncorrectState.Volume.Processing');
    };
    await world.call('ControllerModifyVolume', toMonthly);
    expect(accountingOf(world)).to.deep.equal(['2', '1']);
  });

  for (const [what, code, text, request] of [
    ['no volume', 'INVALID_ARGUMENT', 'volume_id', { volume_id: '' }],
    ['an unknown volume', 'NOT_FOUND', 'nowhere', { volume_id: 'nowhere', mutable_parameters: {} }],
    [
      'an unknown parameter, also beside one that is known',
      'INVALID_ARGUMENT',
      'accountingType',
      { mutable_parameters: { accountingType: 'monthly', XXX_FakeKey: '1' } },
    ],
    ['the type, which cannot change', 'INVALID_ARGUMENT', '"type"', { mutable_parameters: { type: 'flash' } }],
    ['an unknown value', 'INVALID_ARGUMENT', 'monthly, hourly', { mutable_parameters: { accountingType: 'yearly' } }],
  ] as const) {
    it(`refuses ${what}: ${code}, and changes nothing`, async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID);
      const refusal = await world.refusal('ControllerModifyVolume', { ...toMonthly, ...request });
      expect(refusal.code).to.equal(code);
      expect(refusal.message).to.contain(text);
      expect(accountingOf(world)).to.deep.equal(['2', '2']);
    });
  }
});
