import { fileURLToPath } from 'node:url';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { listVolumes } from '../../../../csi/controller/list.ts';
import type { Disks } from '../../../../csi/disks/disks.ts';
import type { ProtoGrpcType } from '../../../../proto/gen/csi.ts';
import { ControllerWorld, GIB, ZONE_KEY } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';

/** What csi-attacher makes of the answers: the nodes of each volume, page after page. */
async function published(world: ControllerWorld, max_entries = 0): Promise<Record<string, string[]>> {
  const nodes: Record<string, string[]> = {};
  let starting_token = '';
  do {
    const answer = await world.call('ListVolumes', { max_entries, starting_token });
    for (const { volume, status } of answer.entries) {
      expect(nodes, 'listed once').not.to.have.property(volume.volume_id);
      nodes[volume.volume_id] = status.published_node_ids;
    }
    starting_token = answer.next_token;
  } while (starting_token !== '');
  return nodes;
}

async function conditionOf(world: ControllerWorld): Promise<{ abnormal: boolean; message: string }> {
  const { entries } = await world.call('ListVolumes', {});
  const condition = entries[0]?.status.volume_condition;
  return condition ?? expect.fail('nothing is listed');
}

describe('ListVolumes', () => {
  it('lists every disk, those of the Go driver and of static volumes too, in one call of the cloud', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { description: PV, on: 'node02' });
    world.cloud.addVolume('ab12cd34', { description: 'pvc-11111111-2222-3333-4444-555555555555', on: 'node03' });
    world.cloud.addVolume('byhand', { description: 'database' });
    const calls = await world.callsOf(async () => {
      expect(await published(world)).to.deep.equal({ [ID]: ['node02'], ab12cd34: ['node03'], byhand: [] });
    });
    expect(calls).to.deep.equal(['DescribeVolumes']);
  });

  it('shows a disk as CreateVolume does', async () => {
    const world = new ControllerWorld();
    const { volume } = await world.call('CreateVolume', { name: PV });
    const { entries } = await world.call('ListVolumes', {});
    expect(entries.map((entry) => entry.volume)).to.deep.equal([volume]);
    expect(volume.capacity_bytes).to.equal(String(100 * GIB));
    expect(volume.accessible_topology).to.deep.equal([{ segments: { [ZONE_KEY]: 'east-11' } }]);
  });

  it('shows a disk of which the cloud says next to nothing', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { sizeGB: Number.NaN, zone: '' });
    const { entries } = await world.call('ListVolumes', {});
    expect(entries[0]?.volume).to.include({ volume_id: ID, capacity_bytes: '0' });
    expect(entries[0]?.volume.accessible_topology).to.deep.equal([]);
  });

  describe('names as nodes of a disk', () => {
    it('its node also while it grows or is on its way: csi-attacher would attach it again', async () => {
      for (const status of ['attaching', 'attached', 'detaching', 'unheard-of']) {
        const world = new ControllerWorld();
        const { attachments } = world.cloud.addVolume('model', { on: 'node01' });
        world.cloud.addVolume(ID, { status: 'in-use', attachments: attachments.map((one) => ({ ...one, status })) });
        expect((await published(world))[ID], status).to.deep.equal(['node01']);
      }
    });

    it('nobody, when it has none or is detached from it', async () => {
      const world = new ControllerWorld();
      const { attachments } = world.cloud.addVolume('model', { on: 'node01' });
      world.cloud.addVolume(ID, { attachments: attachments.map((one) => ({ ...one, status: 'detached' })) });
      world.cloud.addVolume('free');
      expect(await published(world)).to.deep.include({ [ID]: [], free: [] });
    });

    it('the Node whose server was renamed, by its provider id', async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      world.cloud.renameServer('node01', 'renamed');
      expect(await published(world)).to.deep.equal({ [ID]: ['node01'] });
    });

    it('not the Node whose name another server has now: the disk is not on it', async () => {
      const world = new ControllerWorld();
      world.kube?.addNode('node01', { providerID: 'nifcloud:///east-11/i-original' });
      world.cloud.addVolume(ID, { on: 'node01' });
      expect(await published(world)).to.deep.equal({ [ID]: [] });
    });

    it('a Node by its name as long as it has no provider id', async () => {
      const world = new ControllerWorld();
      world.kube?.addNode('node01', { providerID: '' });
      world.cloud.addVolume(ID, { on: 'node01' });
      expect(await published(world)).to.deep.equal({ [ID]: ['node01'] });
    });

    it('no server of somebody else', async () => {
      const world = new ControllerWorld();
      world.cloud.addServer('rescue');
      world.cloud.addVolume(ID, { on: 'rescue' });
      expect(await published(world)).to.deep.equal({ [ID]: [] });
    });

    it('the server, where no Kubernetes is configured; never ""', async () => {
      const world = new ControllerWorld({ withKube: false });
      const { attachments } = world.cloud.addVolume(ID, { on: 'node01' });
      const nameless = attachments.map((one) => ({ ...one, serverName: '', serverUniqueId: '' }));
      world.cloud.addVolume('lost', { status: 'in-use', attachments: nameless });
      expect(await published(world)).to.deep.equal({ [ID]: ['node01'], lost: [] });
    });
  });

  it('says UNAVAILABLE while Kubernetes does not answer, rather than that nothing is published', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube!.failure = new Error('connection refused');
    expect((await world.refusal('ListVolumes', {})).code).to.equal('UNAVAILABLE');
  });

  describe('the condition of a disk', () => {
    for (const [what, disk, message] of [
      ['free', {}, /available/],
      ['on its node', { on: 'node01' }, /node node01/],
      ['in a state that nobody told us of', { status: 'moving' }, /moving/],
    ] as const) {
      it(`is normal: ${what}`, async () => {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID, disk);
        const condition = await conditionOf(world);
        expect(condition.abnormal).to.equal(false);
        expect(condition.message).to.match(message);
      });
    }

    it('is abnormal when the cloud says that something is wrong with it', async () => {
      for (const status of ['error', 'Error_Deleting', 'failed']) {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID, { status });
        const { abnormal, message } = await conditionOf(world);
        expect([abnormal, message]).to.deep.equal([true, `the cloud says of the disk: ${status}`]);
      }
    });

    it('is abnormal when it is attached to a server that is gone, or is no node', async () => {
      const world = new ControllerWorld();
      world.cloud.addServer('gone');
      world.cloud.addVolume(ID, { on: 'gone' });
      world.cloud.removeServer('gone');
      const { abnormal, message } = await conditionOf(world);
      expect(abnormal).to.equal(true);
      expect(message).to.contain('gone (i-gone)');
    });

    it('is abnormal when the cloud does not name the server that has it', async () => {
      for (const withKube of [true, false]) {
        const world = new ControllerWorld({ withKube });
        const attachments = [{ serverName: '', serverUniqueId: '', status: 'attached', device: '' }];
        world.cloud.addVolume(ID, { status: 'in-use', attachments });
        expect((await conditionOf(world)).abnormal).to.equal(true);
      }
    });
  });

  describe('in pages', () => {
    it('gives as many as are wanted, and a token only if there are more', async () => {
      const world = new ControllerWorld();
      for (const id of ['a', 'b', 'c', 'd']) world.cloud.addVolume(id);
      const first = await world.call('ListVolumes', { max_entries: 2 });
      const second = await world.call('ListVolumes', { max_entries: 2, starting_token: first.next_token });
      expect([first.entries.length, second.entries.length]).to.deep.equal([2, 2]);
      expect(first.next_token).not.to.equal('');
      expect(second.next_token).to.equal('');
      for (const size of [1, 3, 4, 5]) expect(Object.keys(await published(world, size))).to.have.length(4);
    });

    it('is empty where there is nothing', async () => {
      expect(await new ControllerWorld().call('ListVolumes', {})).to.deep.equal({ entries: [], next_token: '' });
    });

    it('lists what exists all the while once, whatever comes and goes, is renamed or served by another process', async () => {
      const changes = fc.array(fc.constantFrom('add', 'remove', 'rename', 'restart'), { maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 4 }), changes, fc.nat(), async (max_entries, events, seed) => {
          const world = new ControllerWorld();
          const kept = Array.from({ length: 6 }, (_, n) => world.cloud.addVolume(`kept${n}`).uniqueId);
          const going = Array.from({ length: 6 }, (_, n) => world.cloud.addVolume(`going${n}`).id);
          const seen: string[] = [];
          let starting_token = '';
          for (let page = 0; page === 0 || starting_token !== ''; page += 1) {
            const { entries, next_token } = await world.call('ListVolumes', { max_entries, starting_token });
            seen.push(...entries.map(({ volume }) => volume.volume_context['volumeUniqueId'] ?? ''));
            starting_token = next_token;
            const event = events[page];
            if (event === 'add') world.cloud.addVolume(`new${page}`);
            if (event === 'rename') world.cloud.renameVolume(`kept${page}`, `renamed${page}`);
            if (event === 'restart') world.restart();
            const victim = going[(seed + page) % going.length] ?? '';
            if (event === 'remove' && world.cloud.settledState().some(({ id }) => id === victim)) {
              await world.cloud.volumes.delete(victim, new AbortController().signal);
              world.cloud.settledState();
            }
          }
          expect(new Set(seen).size, 'none twice').to.equal(seen.length);
          expect(seen).to.include.members(kept);
        }),
        { numRuns: 50 },
      );
    });

    it('goes on after a disk that is gone by now', async () => {
      const world = new ControllerWorld();
      for (const id of ['a', 'b', 'c']) world.cloud.addVolume(id);
      const { next_token } = await world.call('ListVolumes', { max_entries: 2 });
      await world.cloud.volumes.delete('b', new AbortController().signal);
      world.cloud.settledState();
      const { entries } = await world.call('ListVolumes', { starting_token: next_token });
      expect(entries.map(({ volume }) => volume.volume_id)).to.deep.equal(['c']);
    });

    it('stays under the 4 MiB that gRPC clients take, even if everything wanted is as long as it can be', async () => {
      const names = Array.from({ length: 12_000 }, (_, n) => String(n).padStart(32, '0'));
      const volumes = names.map((id) => ({
        id,
        uniqueId: `vol-${id}`,
        sizeGB: 8_000,
        diskType: 'High-Speed Flash Storage B',
        zone: 'jp-east-11-a-long-one',
        accountingType: '1',
        nextMonthAccountingType: '1',
        status: 'in-use',
        description: PV,
        createdAt: '2026-01-01T00:00:00.000+09:00',
        attachments: [
          { serverName: 'n'.repeat(63), serverUniqueId: `i-${id}`, status: 'attached', device: 'SCSI (0:15)' },
        ],
      }));
      const disks = { list: async () => volumes, nodes: async () => [] } as unknown as Disks;
      const definition = loadSync(fileURLToPath(new URL('../../../../proto/csi.proto', import.meta.url)), {
        keepCase: true,
      });
      const { service } = (loadPackageDefinition(definition) as unknown as ProtoGrpcType).csi.v1.Controller;
      let listed = 0;
      for (let starting_token: string | undefined = ''; starting_token !== undefined;) {
        const request = { max_entries: 0, starting_token };
        const answer = await listVolumes(request, { disks }, new AbortController().signal);
        expect(service.ListVolumes.responseSerialize(answer).length).to.be.below(4 * 2 ** 20);
        listed += answer.entries?.length ?? 0;
        starting_token = answer.next_token || undefined;
      }
      expect(listed).to.equal(12_000);
    });

    for (const [what, code, request] of [
      ['a token of somebody else', 'ABORTED', { starting_token: 'invalid-token' }],
      ['a token that was cut', 'ABORTED', { starting_token: 'after:' }],
      ['a negative number of entries', 'INVALID_ARGUMENT', { max_entries: -1 }],
    ] as const) {
      it(`refuses ${what}: ${code}`, async () => {
        const world = new ControllerWorld();
        expect((await world.refusal('ListVolumes', request)).code).to.equal(code);
        expect(world.cloud.calls).to.deep.equal([]);
      });
    }
  });
});
