import { expect } from 'chai';
import { plugIn } from '../../../../../simulator/nifcloud/hosts/plug-in.ts';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import { parseSwitches } from '../../../../../simulator/nifcloud/world/switches.ts';
import type { TransitionKind } from '../../../../../simulator/nifcloud/world/transition.ts';
import type { Volume } from '../../../../../simulator/nifcloud/world/volumes.ts';
import { newWorld } from '../../../../../simulator/nifcloud/world/world.ts';
import type { World } from '../../../../../simulator/nifcloud/world/world.ts';
import { RecordingHosts } from '../recording-hosts.ts';

const FLEET = parseFleet(
  `
zones: [east-11]
servers:
  - { name: up, uniqueId: i-aaaaaaaa, zone: east-11 }
  - { name: off, uniqueId: i-00000000, zone: east-11, state: stopped }
`,
  'fleet',
);

describe('the hosts of a start', () => {
  let world: World;
  let hosts: RecordingHosts;

  beforeEach(() => {
    world = newWorld(FLEET, { firstVip: '127.100.0.1', switches: parseSwitches(''), nowMs: 0 });
    hosts = new RecordingHosts();
  });

  function add(id: string, serverUniqueId: string | undefined, kind?: TransitionKind): void {
    const volume: Volume = {
      id,
      uniqueId: `vol-${id}`,
      sizeGB: 100,
      diskType: 'Standard Flash Storage A',
      zone: 'east-11',
      accountingType: '2',
      nextMonthAccountingType: '2',
      description: '',
      createdAtMs: 0,
      attachment: serverUniqueId === undefined ? undefined : { serverUniqueId, slot: 3, attachedAtMs: 0 },
      transition: kind === undefined ? undefined : { kind, endsAtMs: 0 },
    };
    world.volumes.set(id, volume);
  }

  it('get the disks of the world, then their servers the power that they should have', async () => {
    add('held', 'i-aaaaaaaa');
    add('asleep', 'i-00000000');
    add('free', undefined);
    await plugIn(world, hosts);
    expect(hosts.done).to.deep.equal([
      'create 100 GiB',
      'attach i-aaaaaaaa 3',
      'create 100 GiB',
      'attach i-00000000 3',
      'create 100 GiB',
      'on i-aaaaaaaa',
      'shut down i-00000000',
    ]);
  });

  it('keep the disks that they have', async () => {
    await hosts.createDisk('vol-held', 1);
    hosts.done.length = 0;
    add('held', 'i-aaaaaaaa');
    await plugIn(world, hosts);
    expect(hosts.done[0]).to.equal('attach i-aaaaaaaa 3');
  });

  for (const [kind, done] of [
    ['create', ['delete']], // what may be there is of no use: it is made anew at the end
    ['attach', ['create 100 GiB']],
    ['detach', ['create 100 GiB', 'attach i-aaaaaaaa 3']],
    ['extend', ['create 100 GiB', 'attach i-aaaaaaaa 3']],
    ['delete', []],
  ] as const) {
    it(`leave the end of ${kind} to its transition`, async () => {
      add('moving', 'i-aaaaaaaa', kind);
      await plugIn(world, hosts);
      expect(hosts.done.slice(0, -2)).to.deep.equal(done);
    });
  }

  for (const [what, transition, expected] of [
    ['starting', { to: 'running' }, 'shut down i-aaaaaaaa'],
    ['stopping', { to: 'stopped', powersOff: 'clean' }, 'on i-aaaaaaaa'],
    ['rebooting', { to: 'running', powersOff: 'cut' }, 'on i-aaaaaaaa'],
  ] as const) {
    it(`find a server that was ${what} as it was`, async () => {
      const server = world.servers.get('up')!;
      server.state = 'pending';
      server.transition = { kind: 'power', endsAtMs: 0, ...transition };
      await plugIn(world, hosts);
      expect(hosts.done[0]).to.equal(expected);
    });
  }
});
