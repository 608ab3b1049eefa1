import { expect } from 'chai';
import type { Service } from '../../../kube/types.ts';
import { LB, node, SERVICE, World } from './service-world.ts';

const byPort = (a: { loadBalancerPort: number }, b: { loadBalancerPort: number }): number =>
  a.loadBalancerPort - b.loadBalancerPort;

const endState = (world: World): unknown => {
  const { metadata, ...service } = world.api.service() ?? { metadata: undefined };
  const balancer = world.cloud.balancers.get(LB);
  const listeners = balancer?.listeners.toSorted(byPort);
  return { service, finalizers: metadata?.finalizers, balancer: { ...balancer, listeners } };
};

/** Kills the controller at each moment of a journey: before and after each write to any of both APIs. */
describe('a crash', () => {
  class Crash extends Error {}

  const RANGES = { loadBalancerSourceRanges: ['192.0.2.0/24', '198.51.100.0/24'] };
  const PORTS = [
    { name: 'http', protocol: 'TCP' as const, port: 80, nodePort: 30080 },
    { name: 'https', protocol: 'TCP' as const, port: 443, nodePort: 30443 },
  ];
  const FILTERED: Service = { ...SERVICE, spec: { ...SERVICE.spec, ...RANGES, ports: PORTS } };

  const journeys: [name: string, given: 'nothing' | 'load balancer', happens: (world: World) => void][] = [
    ['while a load balancer is made', 'nothing', () => {}],
    [
      'while a load balancer that somebody deleted is made again',
      'load balancer',
      (world) => world.cloud.balancers.clear(),
    ],
    [
      'while ports and node ports change',
      'load balancer',
      (world) =>
        world.api.edit((one) => ({
          ...one,
          spec: {
            ...one.spec,
            ports: [
              { ...PORTS[0]!, nodePort: 31000 },
              { ...PORTS[1]!, port: 8443 },
              { ...PORTS[1]!, port: 9443, nodePort: 31443 },
            ],
          },
        })),
    ],
    [
      'while ranges change',
      'load balancer',
      (world) =>
        world.api.edit((one) => ({ ...one, spec: { ...one.spec, loadBalancerSourceRanges: ['203.0.113.0/24'] } })),
    ],
    [
      'while nodes come and go',
      'load balancer',
      (world) => {
        world.addServer('node03');
        world.api.addNode(node('node03'));
        world.api.nodes.store('node01', undefined);
      },
    ],
    ['while a Service is deleted', 'load balancer', (world) => world.api.deleteService()],
    [
      'while a Service stops being a LoadBalancer',
      'load balancer',
      (world) => world.api.edit((one) => ({ ...one, spec: { ...one.spec, type: 'ClusterIP' } })),
    ],
  ];

  async function journey(
    given: 'nothing' | 'load balancer',
    happens: (world: World) => void,
    crashAt: number,
  ): Promise<{ readonly world: World; readonly crashed: boolean }> {
    const world = new World(FILTERED);
    if (given === 'load balancer') await world.sync();
    happens(world);
    let moments = 0;
    const interrupt = (): void => {
      if (moments++ === crashAt) throw new Crash('killed');
    };
    world.cloud.interrupt = interrupt;
    world.api.interrupt = interrupt;
    const crashed = await world.sync().then(
      () => false,
      () => true,
    );
    expect(crashed).to.equal(moments > crashAt);
    world.start();
    await world.sync();
    world.takeWrites();
    await world.sync();
    expect(world.takeWrites(), 'writes when all is done').to.deep.equal([]);
    expect(world.cloud.refusals).to.deep.equal([]);
    if (world.vip !== undefined && world.api.service() !== undefined) {
      expect(world.ingress).to.deep.equal([{ ip: world.vip }]);
    }
    return { world, crashed };
  }

  for (const [name, given, happens] of journeys) {
    it(`${name} changes nothing about the end`, async () => {
      const { world: undisturbed } = await journey(given, happens, Infinity);
      let crashes = 0;
      for (let at = 0; ; at++) {
        const { world, crashed } = await journey(given, happens, at);
        expect(endState(world), `killed at moment ${at}`).to.deep.equal(endState(undisturbed));
        if (!crashed) break;
        crashes += 1;
      }
      expect(crashes).to.be.at.least(4);
    });
  }
});
