import { expect } from 'chai';
import type { Found } from '../../../ccm/kind.ts';
import { orphansAmong, watchOrphans } from '../../../ccm/orphans.ts';
import { CLEANUP_FINALIZER } from '../../../ccm/service-change.ts';
import type { Service } from '../../../kube/types.ts';
import { FakeClock } from '../../fake-clock.ts';
import { annotated, LB, MINUTE_MS, SERVICE, World } from './service-world.ts';
import { Log } from './surroundings.ts';

const OTHER = 'ffffffffffff4ff';

function found(more: Partial<Found> = {}): Found {
  return { kind: 'l4', name: LB, vip: '203.0.113.1', owners: [], ...more };
}

const OURS = found({ kind: 'elastic', owners: ['kubernetes:prod/default/web'] });
const CLUSTER_IP: Service = { ...SERVICE, spec: { ...SERVICE.spec, type: 'ClusterIP' } };

describe('orphans: load balancers without a Service', () => {
  const cases: readonly [string, Found, readonly Service[], boolean][] = [
    ['an L4 one with a name of our form is one', found(), [], true],
    ['also if there are other Services', found({ name: OTHER }), [SERVICE], true],
    ['one whose Service is there is not', found(), [SERVICE], false],
    [
      'nor one whose Service is on its way out',
      found(),
      [{ ...CLUSTER_IP, metadata: { ...CLUSTER_IP.metadata, finalizers: [CLEANUP_FINALIZER] } }],
      false,
    ],
    [
      'one whose Service has become another kind of Service, and lets nobody see to it, is',
      found(),
      [CLUSTER_IP],
      true,
    ],
    ["somebody's own L4 one is not", found({ name: 'shop' }), [], false],
    ['nor one with a name that is hexadecimal by chance', found({ name: 'cafe' }), [], false],
    ['nor one with a longer name', found({ name: `${LB}0` }), [], false],
    ['an elastic one of this cluster is', OURS, [], true],
    ['also under another name', { ...OURS, name: 'shop' }, [SERVICE], true],
    ['also if a Service has come under the name of its own', { ...OURS, name: OTHER }, [SERVICE], true],
    ['an elastic one whose Service is there is not', OURS, [SERVICE], false],
    ['nor an elastic one of another cluster', { ...OURS, owners: ['kubernetes:test/default/web'] }, [], false],
    ['nor one of a cluster whose name is longer', { ...OURS, owners: ['kubernetes:prod/2/default/web'] }, [], false],
    ['an elastic one of the Go program, with nothing on it, is', { ...OURS, owners: [] }, [], true],
    ["somebody's own elastic one is not", { ...OURS, name: 'shop', owners: [] }, [], false],
  ];
  for (const [what, one, services, isOrphan] of cases) {
    it(what, () => expect(orphansAmong([one], services, 'prod')).to.deep.equal(isOrphan ? [one] : []));
  }

  it('are named once as long as they are the same, and counted at every look', async () => {
    const clock = new FakeClock();
    const counts: number[] = [];
    const told: unknown[] = [];
    const logger = Object.assign(new Log(), { warn: (_: string, fields: unknown) => told.push(fields) });
    let all: readonly Found[] = [found()];
    let isDown = false;
    const stop = new AbortController();
    const list = (): Promise<readonly Found[]> => (isDown ? Promise.reject(new Error('down')) : Promise.resolve(all));
    const count = (orphans: number): void => void counts.push(orphans);
    const options = { list, services: () => [], clusterName: 'prod', count, clock, logger };
    const done = watchOrphans(options, stop.signal).catch(() => undefined);
    await clock.advance(20 * MINUTE_MS);
    expect(counts).to.deep.equal([0, 1]);
    const l4 = `L4 load balancer ${LB} (203.0.113.1)`;
    expect(told.splice(0)).to.deep.equal([{ loadBalancers: [l4] }]);
    isDown = true;
    await clock.advance(10 * MINUTE_MS);
    isDown = false;
    expect([counts, told.splice(0)]).to.deep.equal([[0, 1], [{ reason: 'down' }]]);
    all = [found(), OURS];
    await clock.advance(30 * MINUTE_MS);
    expect(counts).to.deep.equal([0, 1, 1, 2, 2]);
    const elastic = `elastic load balancer ${LB} (203.0.113.1) of kubernetes:prod/default/web`;
    expect(told.splice(0)).to.deep.equal([{ loadBalancers: [l4, elastic] }]);
    all = [];
    await clock.advance(10 * MINUTE_MS);
    expect([counts.at(-1), told]).to.deep.equal([0, []]);
    stop.abort(new Error('stop'));
    await done;
  });

  it('of both kinds are counted by the controller, which changes nothing about them', async () => {
    const counts: number[] = [];
    const metrics = { hostsUpdated: () => {}, orphans: (orphans: number) => counts.push(orphans) };
    const world = new World(SERVICE, { metrics });
    const elastic = annotated('type', 'elb', {
      ...SERVICE,
      metadata: { ...SERVICE.metadata, name: 'other', uid: 'ffffffff-ffff-4fff-8293-a4b5c6d7e8f9' },
    });
    world.api.addService(elastic);
    world.run();
    await world.clock.advance(5 * MINUTE_MS);
    world.stop.abort();
    // Both Services go while nobody looks.
    for (const name of ['web', 'other']) world.api.services.store(`default/${name}`, undefined);
    const next = new AbortController();
    void world.start().run(1, next.signal);
    world.takeWrites();
    world.events.take();
    await world.clock.advance(10 * MINUTE_MS);
    expect(counts).to.deep.equal([0]);
    await world.clock.advance(10 * MINUTE_MS);
    expect(counts).to.deep.equal([0, 2]);
    expect([world.cloud.balancers.size, world.elastic.balancers.size]).to.deep.equal([1, 1]);
    expect([world.takeWrites(), world.events.take()]).to.deep.equal([[], []]);
    next.abort();
  });
});
