import { expect } from 'chai';
import * as fc from 'fast-check';
import { loadBalancerName } from '../../../ccm/cloud/load-balancer.ts';
import { wantedRules } from '../../../ccm/cloud/firewall-plan.ts';
import type { Service } from '../../../kube/types.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { ruleIdentity, type FirewallRule } from '../../../nifcloud/firewall-groups.ts';
import { lostAnswer } from './l4-cloud.ts';
import { annotated, MINUTE_MS, node, server, World } from './service-world.ts';

const NODES = ['node01', 'node02', 'node03', 'node04'];
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const DELETED = { deletionTimestamp: '2025-01-02T03:04:05Z' };

/** What is asked of the cloud. */
const CALLS =
  'list create update registerPort updateListener modifyListener deleteListener setFilter configureHealthCheck ' +
  'registerTargets deregisterTargets authorize revoke';

/** Something that happens to one of the names or nodes, by number. */
type Act = 'make' | 'delete' | 'switch' | 'move' | 'pause' | 'node' | 'lose' | 'strip';

interface Happening {
  readonly act: Act;
  readonly which: number;
  readonly afterMs: number;
}

interface History {
  readonly happenings: readonly Happening[];
  readonly workers: number;
  /** How long a load balancer or group is busy after a change. */
  readonly transitionMs: number;
  /** How long calls take, one after the other, again and again. */
  readonly latenciesMs: readonly number[];
  /** Which changes of the cloud fail, counted from the first one. */
  readonly throttled: readonly number[];
  readonly lost: readonly number[];
}

const histories: fc.Arbitrary<History> = fc.record({
  happenings: fc.array(
    fc.record({
      act: fc.constantFrom<Act>('make', 'make', 'delete', 'switch', 'move', 'pause', 'node', 'node', 'lose', 'strip'),
      which: fc.nat(19),
      afterMs: fc.constantFrom(0, 1, 300, 1_500, 3_000, 7_000, 20_000, 60_000),
    }),
    { minLength: 5, maxLength: 20 },
  ),
  workers: fc.constantFrom(1, 2, 10),
  transitionMs: fc.constantFrom(500, 3_000, 8_000, 25_000),
  latenciesMs: fc.array(fc.constantFrom(0, 0, 50, 300, 2_000), { minLength: 1, maxLength: 12 }),
  throttled: fc.uniqueArray(fc.nat(80), { maxLength: 5 }),
  lost: fc.uniqueArray(fc.nat(80), { maxLength: 5 }),
});

/** A cluster to which a history happens, and what was done too early in it. */
class Cluster {
  readonly world = new World();
  readonly early: string[] = [];
  readonly #nodes = new Set(['node01', 'node02']);
  readonly #services = this.world.api.services.objects;
  #made = 0;

  constructor({ latenciesMs, transitionMs, throttled, lost }: History) {
    const { world } = this;
    world.api.services.store('default/web', undefined);
    world.addServer('node03', 'fwnode01');
    world.addServer('node04', 'fwnode02');
    world.elastic.transitionMs = transitionMs;
    let changes = 0;
    const interrupt = (moment: 'before' | 'after', action: string): void => {
      if (moment === 'after' && lost.includes(changes)) throw lostAnswer(action);
      if (moment === 'after' || !throttled.includes(++changes)) return;
      throw new NifcloudError({ action, code: 'Client.Throttling', detail: 'slow down', outcome: 'refused' });
    };
    world.cloud.interrupt = interrupt;
    world.elastic.interrupt = interrupt;
    const { registerTargets } = world.elastic.loadBalancers;
    Object.assign(world.elastic.loadBalancers, {
      registerTargets: async (...call: Parameters<typeof registerTargets>) => {
        this.#checkRules(...call);
        await registerTargets(...call);
      },
    });
    let calls = 0;
    const pause = (): Promise<void> => world.clock.sleep(latenciesMs[calls++ % latenciesMs.length] ?? 0);
    for (const api of [world.elastic.loadBalancers, world.elastic.firewallGroups, world.cloud]) slowDown(api, pause);
  }

  happen({ act, which }: Happening): void {
    const { world } = this;
    const name = NAMES[which % NAMES.length]!;
    const key = `default/${name}`;
    const present = this.#services.get(key);
    const staying = present?.metadata.deletionTimestamp === undefined ? present : undefined;
    if (act === 'make' && present === undefined) world.api.addService(this.#make(name, which));
    if (act === 'node') this.#turn(NODES[which % NODES.length]!);
    if (act === 'lose') {
      const { balancers } = which % 2 === 0 ? world.cloud : world.elastic;
      balancers.delete([...balancers.keys()][which % 5] ?? '');
    }
    if (staying === undefined) return;
    if (act === 'delete') world.api.addService({ ...staying, metadata: { ...staying.metadata, ...DELETED } });
    if (act === 'switch') world.api.addService(annotated('type', isElastic(staying) ? 'lb' : 'elb', staying));
    if (act === 'pause') {
      world.api.addService(annotated('paused', 'true', staying));
      void world.clock.sleep(4_000).then(() => {
        const paused = this.#services.get(key);
        if (paused?.metadata.uid === staying.metadata.uid) world.api.addService(annotated('paused', 'false', paused));
      });
    }
    if (act === 'move') {
      const [first, ...others] = staying.spec?.ports ?? [];
      const ports = [{ ...first!, nodePort: 31_000 + 20 * this.#made++ + which }, ...others];
      world.api.addService({ ...staying, spec: { ...staying.spec, ports } });
    }
    // What is paused when it goes is left as it is.
    if (act === 'strip' && !Object.values(staying.metadata.annotations ?? {}).includes('true')) {
      world.api.services.store(key, undefined); // somebody took the finalizer
      if (which % 2 === 0) world.api.addService(this.#make(name, which));
    }
  }

  /** What is not as it should be once nothing has happened for long. */
  get faults(): readonly string[] {
    const { cloud, elastic } = this.world;
    const services = [...this.#services.values()];
    const faults = services.flatMap((one) => this.#faultsOf(one));
    const namesOf = (isOfKind: boolean): readonly string[] =>
      services.filter((one) => isElastic(one) === isOfKind).map(loadBalancerName);
    for (const name of cloud.balancers.keys()) if (!namesOf(false).includes(name)) faults.push(`L4 ${name} is left`);
    for (const name of elastic.balancers.keys()) if (!namesOf(true).includes(name)) faults.push(`elb ${name} is left`);
    const groups = [...elastic.groups.values()].map((one) => ({ ...one, status: 'applied' }));
    const servers = NODES.map(server);
    const wanted = wantedRules({
      cluster: 'kubernetes',
      groups,
      servers,
      loadBalancers: [...elastic.balancers.values()],
    });
    // Of an elastic one that somebody deleted before its Service asked for an L4 one they go with the Service.
    const isKept = ({ description = '' }: FirewallRule): boolean =>
      namesOf(false).some((name) => description.endsWith(`/${name}`));
    for (const { name, rules } of groups) {
      const present = rules.filter((one) => !isKept(one)).map(ruleIdentity);
      const missing = (wanted.get(name) ?? []).map(ruleIdentity);
      if (present.toSorted().join() !== missing.toSorted().join()) faults.push(`rules of ${name}: ${present.join()}`);
    }
    return faults;
  }

  #faultsOf(service: Service): string[] {
    const { metadata, status } = service;
    const { cloud, elastic } = this.world;
    const name = loadBalancerName(service);
    const balancer = isElastic(service) ? elastic.balancers.get(name) : cloud.balancers.get(name);
    if (metadata.deletionTimestamp !== undefined) return [`${metadata.name} is still there`];
    if (balancer === undefined) return [`${metadata.name} has no load balancer`];
    const ports = balancer.listeners.map((one) => String(one.instancePort)).toSorted();
    const targets = new Set(
      balancer.listeners.map((one) =>
        one.targets
          .map((two) => two.serverName)
          .toSorted()
          .join(),
      ),
    );
    const shown = [ports, [...targets], status?.loadBalancer?.ingress?.map((one) => one.ip), status?.conditions ?? []];
    const nodePorts = service.spec?.ports?.map((one) => String(one.nodePort)).toSorted();
    const wanted = [nodePorts, [[...this.#nodes].toSorted().join()], [balancer.vip], []];
    return JSON.stringify(shown) === JSON.stringify(wanted) ? [] : [`${metadata.name}: ${JSON.stringify(shown)}`];
  }

  #make(name: string, which: number): Service {
    const n = ++this.#made;
    const uid = `${String(n).padStart(8, '0')}-4e5f-4071-8293-a4b5c6d7e8f9`;
    const ports = Array.from({ length: 1 + (which % 2) }, (_, at) => ({
      name: `p${at}`,
      protocol: 'TCP' as const,
      port: 80 + at,
      nodePort: 30_000 + 2 * n + at,
    }));
    const one: Service = { metadata: { name, namespace: 'default', uid }, spec: { type: 'LoadBalancer', ports } };
    return which % 3 === 0 ? one : annotated('type', 'elb', one);
  }

  /** Takes a node away, or brings it back; one stays. */
  #turn(name: string): void {
    if (!this.#nodes.delete(name)) {
      this.#nodes.add(name);
      this.world.api.addNode(node(name));
    } else if (this.#nodes.size === 0) this.#nodes.add(name);
    else this.world.api.nodes.store(name, undefined);
  }

  #checkRules(
    ...[{ id, loadBalancerPort }, uniqueIds]: Parameters<World['elastic']['loadBalancers']['registerTargets']>
  ): void {
    const { balancers, groups } = this.world.elastic;
    const balancer = [...balancers.values()].find((one) => one.id === id);
    const listener = balancer?.listeners.find((one) => one.loadBalancerPort === loadBalancerPort);
    for (const group of groups.values()) {
      if (listener === undefined || !uniqueIds.some((one) => group.serverUniqueIds.includes(one))) continue;
      const isOpen = group.rules.some((one) => one.cidr === balancer?.vip && one.fromPort === listener.instancePort);
      if (!isOpen) this.early.push(`${balancer?.name} got targets in ${group.name} without rules`);
    }
  }
}

function isElastic(service: Service): boolean {
  return Object.values(service.metadata.annotations ?? {}).includes('elb');
}

/** Calls take their time on the way there and on the way back. */
function slowDown(api: object, pause: () => Promise<void>): void {
  const calls = api as Record<string, ((...args: unknown[]) => Promise<unknown>) | undefined>;
  for (const name of CALLS.split(' ')) {
    const call = calls[name]?.bind(api);
    if (call === undefined) continue;
    calls[name] = async (...args) => {
      await pause();
      try {
        return await call(...args);
      } finally {
        await pause();
      }
    };
  }
}

describe('whatever happens to Services and nodes at the same time', () => {
  it('all is as it should be in the end, nothing is left, and no target came before its firewall rules', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const cluster = new Cluster(history);
        const { world } = cluster;
        void world.controller.run(history.workers, world.stop.signal);
        for (const happening of history.happenings) {
          await world.clock.advance(happening.afterMs);
          cluster.happen(happening);
        }
        await world.clock.advance(31 * MINUTE_MS);
        world.stop.abort();
        expect([cluster.faults, cluster.early]).to.deep.equal([[], []]);
      }),
      { numRuns: 60 },
    );
  });
});
