import { expect } from 'chai';
import { Pool } from '../../../../../simulator/nifcloud/data-plane/pool.ts';
import type { Listener } from '../../../../../simulator/nifcloud/world/listeners.ts';
import type { World } from '../../../../../simulator/nifcloud/world/world.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { aListener, aWorld, serverOf } from './rig.ts';

const MINUTE_MS = 60_000;

describe('the choice of a target', () => {
  let world: World;
  let clock: FakeClock;
  let listener: Listener;
  let pool: Pool;

  beforeEach(() => {
    world = aWorld();
    clock = new FakeClock();
  });

  function setUp(changes: Partial<Listener>, timeScale = 1): void {
    listener = aListener({
      targets: ['a', 'b', 'c'].map((name) => ({
        serverUniqueId: serverOf(world, name).uniqueId,
        state: 'InService' as const,
      })),
      ...changes,
    });
    const logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
    const sources = { traffic: [], probes: [] };
    pool = new Pool({ listener, vip: '', sources }, { world, clock, timeScale, logger });
  }

  const connect = (name: string): (() => void) => pool.connections.add(serverOf(world, name).uniqueId, () => {});

  const chosen = (address: string, cookie = ''): string | undefined => pool.choose({ address, cookie })?.name;

  function takeOut(name: string): void {
    listener.targets.find(({ serverUniqueId }) => serverUniqueId === serverOf(world, name).uniqueId)!.state =
      'OutOfService';
  }

  it('is in turn', () => {
    setUp({});
    expect([chosen('1'), chosen('1'), chosen('1'), chosen('1')]).to.deep.equal(['a', 'b', 'c', 'a']);
  });

  it('leaves out what is out of service, what is not up, what has no address and what is gone', () => {
    setUp({});
    takeOut('a');
    serverOf(world, 'b').state = 'stopped';
    expect([chosen('1'), chosen('1')]).to.deep.equal(['c', 'c']);
    serverOf(world, 'c').state = 'warning';
    expect(chosen('1')).to.equal('c');
    serverOf(world, 'c').privateAddress = '';
    expect(chosen('1')).to.equal(undefined);
    world.serversByUniqueId.clear();
    expect(chosen('1')).to.equal(undefined);
  });

  it('is the one with the fewest connections, with balancing type 2', () => {
    setUp({ balancingType: 2 });
    connect('a');
    const end = connect('b');
    expect(chosen('1')).to.equal('c');
    connect('c');
    connect('c');
    connect('a');
    expect(chosen('1')).to.equal('b');
    connect('b');
    connect('b');
    expect(chosen('1')).to.equal('a');
    end();
    connect('a');
    expect(chosen('1')).to.equal('b');
  });

  it('sticks to a source address for its period, which each connection renews', async () => {
    setUp({ stickiness: { enabled: true, method: 1, periodMinutes: 3 } });
    expect([chosen('1'), chosen('2'), chosen('1'), chosen('2')]).to.deep.equal(['a', 'b', 'a', 'b']);
    await clock.advance(2 * MINUTE_MS);
    expect(chosen('1')).to.equal('a');
    await clock.advance(2 * MINUTE_MS);
    expect(chosen('1')).to.equal('a');
    await clock.advance(3 * MINUTE_MS);
    expect(chosen('1')).to.equal('c');
  });

  it('divides the period by the time scale', async () => {
    setUp({ stickiness: { enabled: true, method: 1, periodMinutes: 3 } }, 60);
    chosen('1');
    await clock.advance(2999);
    expect(chosen('1')).to.equal('a');
    await clock.advance(3000);
    expect(chosen('1')).to.equal('b');
  });

  it('no longer sticks to a target that has left service', () => {
    setUp({ stickiness: { enabled: true, method: 1, periodMinutes: 3 } });
    chosen('1');
    takeOut('a');
    const second = chosen('1');
    expect(second).to.not.equal('a');
    listener.targets.forEach((target) => (target.state = 'InService'));
    expect(chosen('1')).to.equal(second);
  });

  it('sticks to nothing once sessions were cleared, and then anew', () => {
    setUp({ stickiness: { enabled: true, method: 1, periodMinutes: 3 } });
    expect([chosen('1'), chosen('1')]).to.deep.equal(['a', 'a']);
    listener.sessionsClearedAtMs = clock.now();
    expect([chosen('1'), chosen('1')]).to.deep.equal(['b', 'b']);
  });

  it('knows clients by their cookie with method 2, whatever their address', async () => {
    setUp({ stickiness: { enabled: true, method: 2, periodMinutes: 3 } });
    const first = pool.choose({ address: '1', cookie: '' })!;
    const cookie = pool.cookieFor(first)!;
    expect([chosen('2', cookie), chosen('3', cookie), chosen('1')]).to.deep.equal(['a', 'a', 'b']);
    await clock.advance(3 * MINUTE_MS);
    expect(chosen('1', cookie)).to.equal('c');
  });

  for (const cookie of ['nonsense', 'i-00000000.99999999999999', '.', 'i-00000000.soon']) {
    it(`takes the cookie ${cookie} for none`, () => {
      setUp({ stickiness: { enabled: true, method: 2, periodMinutes: 3 } });
      expect([chosen('1', cookie), chosen('1', cookie)]).to.deep.equal(['a', 'b']);
    });
  }

  it('hands out cookies with method 2 alone', () => {
    setUp({ stickiness: { enabled: true, method: 1, periodMinutes: 3 } });
    expect(pool.cookieFor(serverOf(world, 'a'))).to.equal(undefined);
    listener.stickiness = { enabled: false, method: 2, periodMinutes: 3 };
    expect(pool.cookieFor(serverOf(world, 'a'))).to.equal(undefined);
  });
});
