import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { UsageError } from '../../../../../daemon/flags.ts';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import { readState, StateFile } from '../../../../../simulator/nifcloud/world/state-file.ts';
import { parseSwitches } from '../../../../../simulator/nifcloud/world/switches.ts';
import { newWorld } from '../../../../../simulator/nifcloud/world/world.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud, until } from '../raw-client.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import type { World } from '../../../../../simulator/nifcloud/world/world.ts';

const FLEET = `
zones: [east-11]
networks: [{ name: lan1, zone: east-11, cidr: 192.168.1.0/24 }]
routeTables: [{ id: rtb-0abc1def, routes: [{ destination: 10.0.0.0/8, network: lan1 }] }]
routers: [{ name: gateway, zone: east-11, routeTable: rtb-0abc1def }]
certificates: [cert-1]
groups: [{ name: web, zone: east-11, rules: [{ protocol: ICMP, cidr: 0.0.0.0/0 }] }]
servers: [{ name: a, zone: east-11, firewallGroup: web }, { name: b, zone: east-11 }]
disks: [{ id: d1, attachedTo: a }, { id: d2, zone: east-11 }]
l4LoadBalancers: [{ name: front, ports: [{ port: 80, targets: [a, b] }] }]
elasticLoadBalancers: [{ name: inner, zone: east-11, listeners: [{ port: 80, targets: [a] }] }]
`;
const NO_SWITCHES = parseSwitches('');

function makeWorld(): World {
  return newWorld(parseFleet(FLEET, 'fleet'), { firstVip: '127.100.9.1', switches: NO_SWITCHES, nowMs: 1_000 });
}

/** A world as JSON, in which what is undefined and what is absent are one. */
function plain(world: World | undefined): unknown {
  const lists = Object.entries(world ?? {}).map(([key, value]) => [
    key,
    value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : (value as unknown),
  ]);
  return JSON.parse(JSON.stringify(Object.fromEntries(lists)));
}

const d9 = (of: Simulator) => of.state().volumes.find(({ id }) => id === 'd9');

describe('the state file', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'state-test-'));
    file = join(folder, 'state.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('holds all of a world', async () => {
    const world = makeWorld();
    await new StateFile({ file, world }).save();
    expect(plain(readState(file, NO_SWITCHES))).to.deep.equal(plain(world));
    expect(await readdir(folder), 'nothing else').to.deep.equal(['state.json']);
  });

  it('leaves out the switches: those of the start count', async () => {
    await new StateFile({ file, world: makeWorld() }).save();
    const switches = parseSwitches('disk-lock=server');
    expect(readState(file, switches)?.switches).to.deep.equal(switches);
  });

  it('brings targets back out of service', async () => {
    const world = makeWorld();
    for (const target of world.loadBalancers.get('front')?.ports[0]?.targets ?? []) target.state = 'InService';
    await new StateFile({ file, world }).save();
    const targets = readState(file, NO_SWITCHES)?.loadBalancers.get('front')?.ports[0]?.targets;
    expect(targets?.map(({ state }) => state)).to.deep.equal(['OutOfService', 'OutOfService']);
  });

  it('makes one object of a server, by name and by unique id', async () => {
    await new StateFile({ file, world: makeWorld() }).save();
    const world = readState(file, NO_SWITCHES);
    const server = world?.servers.get('a');
    expect(world?.serversByUniqueId.get(server?.uniqueId ?? '')).to.equal(server);
  });

  it('holds a change when the save that was asked for after it is over, though others were under way', async () => {
    const world = makeWorld();
    const state = new StateFile({ file, world });
    const saves = [1, 2, 3, 4].map(async (sizeGB) => {
      for (let wait = 0; wait < sizeGB; wait++) await new Promise(setImmediate);
      world.volumes.get('d1')!.sizeGB = sizeGB;
      await state.save();
      expect(readState(file, NO_SWITCHES)?.volumes.get('d1')?.sizeGB).to.be.at.least(sizeGB);
    });
    await Promise.all(saves);
    expect(readState(file, NO_SWITCHES)?.volumes.get('d1')?.sizeGB).to.equal(4);
  });

  it('is one write for all changes of a moment', async () => {
    const world = makeWorld();
    const state = new StateFile({ file, world });
    const saves = [1, 2, 3].map((sizeGB) => {
      world.volumes.get('d1')!.sizeGB = sizeGB;
      return state.save();
    });
    expect(new Set(saves).size).to.equal(1);
    await Promise.all(saves);
  });

  it('is not written when nothing has changed', async () => {
    const world = makeWorld();
    const state = new StateFile({ file, world });
    await state.save();
    const { ino } = await stat(file);
    await state.save();
    expect((await stat(file)).ino, 'the same file').to.equal(ino);
    world.servers.get('a')!.description = 'changed';
    await state.save();
    expect((await stat(file)).ino, 'another file').not.to.equal(ino);
  });

  it('says so when it can not be written, and is written when it can again', async () => {
    const world = makeWorld();
    const late = new StateFile({ file: join(folder, 'later', 'state.json'), world });
    const refused = await late.save().catch((error: unknown) => error);
    expect(String(refused)).to.include('ENOENT');
    const state = new StateFile({ file, world });
    await state.save();
    expect(readState(file, NO_SWITCHES)?.servers.size).to.equal(2);
  });

  it('is absent where there is none', () => {
    expect(readState(file, NO_SWITCHES)).to.equal(undefined);
  });

  for (const [name, text] of [
    ['that is empty', ''],
    ['that is no JSON', 'servers: []'],
    ['of another program', '{"servers":[]}'],
    ['of another version', '{"program":"nifcloud-simulator","version":0}'],
    ['that was cut off', '{"program":"nifcloud-simulator","version":1,"servers":['],
    ['that is null', 'null'],
  ] as const) {
    it(`is refused in one line and left alone when it is one ${name}`, async () => {
      await writeFile(file, text);
      const refused = await startCloud({ stateFile: file }).catch((error: unknown) => error);
      expect(refused).to.be.instanceOf(UsageError);
      expect(String(refused)).to.match(/^UsageError: [^\n]*state\.json[^\n]*$/);
      expect(await readFile(file, 'utf8')).to.equal(text);
    });
  }

  it('is refused when it can not be read', () => {
    expect(() => readState(folder, NO_SWITCHES)).to.throw(UsageError, 'EISDIR');
  });

  describe('of a simulator', () => {
    let simulator: Simulator | undefined;
    afterEach(() => simulator?.stop());

    async function start(clock: FakeClock, fleet = FLEET) {
      await simulator?.stop();
      const started = await startCloud({ clock, stateFile: file, fleet: parseFleet(fleet, 'fleet') });
      simulator = started.simulator;
      return started;
    }

    it('is there from the start, and wins over the fleet at the next', async () => {
      await start(new FakeClock());
      expect(readState(file, NO_SWITCHES)?.servers.size).to.equal(2);
      const { simulator: again } = await start(new FakeClock(), '{ zones: [east-12] }');
      expect(again.state().zones).to.deep.equal(['east-11']);
      expect(again.state().servers.map(({ name }) => name)).to.deep.equal(['a', 'b']);
    });

    it('holds a change when its call is answered', async () => {
      const { client } = await start(new FakeClock());
      await client.done('CreateLoadBalancer', {
        LoadBalancerName: 'second',
        'Listeners.member.1.LoadBalancerPort': 81,
      });
      expect([...(readState(file, NO_SWITCHES)?.loadBalancers.keys() ?? [])]).to.deep.equal(['front', 'second']);
    });

    it('does not go on with what a fault has held: faults end with the simulator', async () => {
      const startMs = Date.UTC(2025, 0, 1);
      const { client, simulator: first } = await start(new FakeClock(startMs));
      first.faults.add({ kind: 'slow-transition' });
      await client.done('CreateVolume', { VolumeId: 'd9', Size: 100, InstanceId: 'a' });
      const late = new FakeClock(startMs + 60_000);
      const { simulator: later } = await start(late);
      later.faults.add({ kind: 'slow-transition' }); // has the number of the earlier one
      await late.advance(0);
      expect(d9(later)?.status).to.equal('in-use');
    });

    it('goes on with transitions, and ends at once those that would have ended meanwhile', async () => {
      const startMs = Date.UTC(2025, 0, 1);
      const { client } = await start(new FakeClock(startMs));
      await client.done('CreateVolume', { VolumeId: 'd9', Size: 100, InstanceId: 'a' });
      const soon = new FakeClock(startMs + 1_000);
      const { simulator: going } = await start(soon);
      await soon.advance(1_999);
      expect(d9(going)?.status).to.equal('creating');
      await soon.advance(1);
      expect(d9(going)?.status).to.equal('in-use');

      const { client: third } = await start(new FakeClock(startMs + 3_000));
      await third.done('DetachVolume', { VolumeId: 'd9', Agreement: 'true' });
      const late = new FakeClock(startMs + 60_000);
      const { simulator: later } = await start(late);
      await late.advance(0);
      expect(d9(later)?.status).to.equal('available');
    });

    it('never gives the address of a load balancer out again', async () => {
      const { client } = await start(new FakeClock());
      const create = { LoadBalancerName: 'second', 'Listeners.member.1.LoadBalancerPort': 81 };
      const first = (await client.done('CreateLoadBalancer', create)).at('CreateLoadBalancerResult.DNSName');
      await client.done('DeleteLoadBalancer', { LoadBalancerName: 'second', LoadBalancerPort: 81, InstancePort: 81 });
      const { client: again } = await start(new FakeClock());
      const second = (await again.done('CreateLoadBalancer', create)).at('CreateLoadBalancerResult.DNSName');
      expect(second).to.be.a('string').and.not.equal(first);
    });

    it('also holds how transitions end', async () => {
      const clock = new FakeClock();
      const { client } = await start(clock);
      await client.done('DetachVolume', { VolumeId: 'd1', Agreement: 'true' });
      await clock.advance(3_000);
      await until(() => readState(file, NO_SWITCHES)?.volumes.get('d1')?.attachment === undefined);
    });
  });
});
