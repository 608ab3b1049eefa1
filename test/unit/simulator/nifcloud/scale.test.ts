import { expect } from 'chai';
import { fleetFile } from '../../../../bench/simulator-fleet.ts';
import { parseFleet } from '../../../../simulator/nifcloud/world/fleet.ts';
import { startCloud } from './raw-client.ts';
import type { RawClient } from './raw-client.ts';
import type { Simulator } from '../../../../simulator/nifcloud/simulator.ts';

const SIZE = { servers: 200, disks: 1_000, loadBalancers: 50 };

const count = (lists: (unknown[] | undefined)[]): number => lists.reduce((sum, list) => sum + (list?.length ?? 0), 0);

describe('a simulator with a large fleet', () => {
  let simulator: Simulator;
  let client: RawClient;
  before(async () => {
    ({ simulator, client } = await startCloud({ fleet: parseFleet(fleetFile(SIZE), 'fleet.json') }));
  });
  after(() => simulator.stop());

  it('describes every server, with the load balancers that have it as a target', async () => {
    const answer = await client.done('DescribeInstances');
    const item = 'instancesSet.item.0';
    expect(new Set(answer.each('reservationSet.item', `${item}.instanceId`)).size).to.equal(SIZE.servers);
    const memberships = answer
      .each('reservationSet.item', item)
      .map((one) => one as { loadbalancing: { item?: unknown[] }; niftyElasticLoadBalancing: { item?: unknown[] } });
    expect(count(memberships.map((one) => one.loadbalancing.item))).to.equal(25 * 3 * 10);
    expect(count(memberships.map((one) => one.niftyElasticLoadBalancing.item))).to.equal(25 * 3 * 10);
  });

  it('describes every disk, each in a slot of its own', async () => {
    const answer = await client.done('DescribeVolumes');
    const [attachment, places] = ['attachmentSet.item.0', new Set<string>()];
    const servers = answer.each('volumeSet.item', `${attachment}.instanceId`);
    const devices = answer.each('volumeSet.item', `${attachment}.device`);
    servers.forEach((server, at) => places.add(`${String(server)} ${String(devices[at])}`));
    expect(places.size).to.equal(SIZE.disks);
  });

  it('describes every load balancer, with an address of its own that listens', async () => {
    const l4 = await client.done('DescribeLoadBalancers');
    const elastic = await client.done('NiftyDescribeElasticLoadBalancers');
    const l4List = 'DescribeLoadBalancersResult.LoadBalancerDescriptions.member';
    const elasticList = 'NiftyDescribeElasticLoadBalancersResult.ElasticLoadBalancerDescriptions.member';
    expect(l4.each(l4List, 'LoadBalancerName')).to.have.length(25 * 3);
    expect(elastic.each(elasticList, 'ElasticLoadBalancerName')).to.have.length(25);
    const vips = new Set([...l4.each(l4List, 'DNSName'), ...elastic.each(elasticList, 'DNSName')]);
    expect(vips.size).to.equal(SIZE.loadBalancers);
    const { loadBalancers, elasticLoadBalancers } = simulator.state();
    const listeners = [
      ...loadBalancers.flatMap((one) => one.ports),
      ...elasticLoadBalancers.flatMap((one) => one.listeners),
    ];
    expect(listeners.filter(({ listensAt }) => listensAt === null)).to.have.length(0);
  });
});
