import { expect } from 'chai';
import type { FirewalledElastic } from '../../../ccm/cloud/firewall-rules.ts';
import { ElasticFirewall, rulesOfNone } from '../../../ccm/elastic-firewall.ts';
import { newJourney } from '../../../ccm/elastic-journey.ts';
import { Listings } from '../../../ccm/listings.ts';
import { Recent } from '../../../ccm/recent.ts';
import { FakeClock } from '../../fake-clock.ts';
import { ElasticCloud } from './elastic-cloud.ts';

const { signal } = new AbortController();
const GATE = { mayTouch: () => Promise.resolve(true), permit: () => Promise.resolve(true), skipped: () => {} };

function balancer(n: number): FirewalledElastic {
  const targets = [{ serverName: 'node01', serverUniqueId: 'i-node01' }];
  return {
    name: `lb${n}`,
    vip: `198.51.100.${n}`,
    interfaces: [],
    listeners: [{ protocol: 'TCP', instancePort: 30_000 + n, healthCheck: undefined, targets }],
  };
}

describe('the firewall rules of elastic load balancers', () => {
  it('of one that goes are not gone because those of another one turn out to be there', async () => {
    const clock = new FakeClock();
    const cloud = new ElasticCloud(clock);
    cloud.transitionMs = 0;
    cloud.addServer('node01', 'fw');
    const { firewallGroups } = cloud;
    const nodes = { nodes: [], fingerprint: '' };
    const none = { list: () => Promise.resolve([]) };
    const calls = { loadBalancers: none, elasticLoadBalancers: none, servers: none, firewallGroups };
    const listings = new Recent((begun) => new Listings(begun, nodes, calls), clock);
    const firewall = new ElasticFirewall({ firewallGroups, clusterName: 'prod', listings, clock, tickMs: 3_000 });
    const bring = async (wanted: FirewalledElastic): Promise<boolean> => {
      const facts = { all: [], hosts: { targets: undefined, servers: [] }, listings: listings.get(listings.mark(), 0) };
      return (await firewall.bring(wanted, facts, newJourney('ensure'), GATE, signal)).isDone;
    };
    expect([await bring(balancer(1)), await bring(balancer(1))]).to.deep.equal([false, true]);
    const before = await firewallGroups.list(signal);
    expect(await bring(balancer(2)), 'is waited for').to.equal(false);
    // An old listing: the cloud says that what is missing there exists.
    const { list } = firewallGroups;
    Object.assign(firewallGroups, { list: () => (Object.assign(firewallGroups, { list }), Promise.resolve(before)) });
    expect(await bring(rulesOfNone('lb1', undefined))).to.equal(false);
    expect(cloud.refusals).to.deep.equal(['authorize fw: Client.InvalidParameterDuplicate.SecurityGroup']);
    expect([await bring(rulesOfNone('lb1', undefined)), await bring(rulesOfNone('lb1', undefined))]).to.include(true);
    expect(cloud.rules('fw').map((rule) => rule.fromPort)).to.deep.equal([30_002]);
  });
});
