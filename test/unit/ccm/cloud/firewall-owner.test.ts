import { expect } from 'chai';
import { ownedBy, ruleDescription } from '../../../../ccm/cloud/firewall-owner.ts';
import type { FirewallRule } from '../../../../nifcloud/firewall-groups.ts';
import { aListener, CLUSTER, oneArm } from './firewall-world.ts';

const rule = (description: string, cidr = '203.0.113.9'): FirewallRule => ({
  direction: 'in',
  protocol: 'TCP',
  fromPort: 30080,
  toPort: 30080,
  cidr,
  description,
});

describe('the description of a firewall rule', () => {
  it('names cluster and load balancer', () => {
    expect(ruleDescription('kubernetes', 'b1946ac92492d23')).to.equal('kubernetes:kubernetes/b1946ac92492d23');
  });

  it('has at most 40 characters, and tells clusters with long names apart', () => {
    const texts = ['production-tokyo-1', 'production-tokyo-2'].map((one) => ruleDescription(one, 'b1946ac92492d23'));
    for (const text of texts) expect(text).to.match(/^kubernetes:prod~[0-9a-f]{8}\/b1946ac92492d23$/);
    expect(texts[0]).to.not.equal(texts[1]);
    expect(texts[0]).to.have.length(40);
  });

  it('is ours for this cluster and this load balancer alone', () => {
    const isOurs = ownedBy(CLUSTER, [oneArm(0, []).loadBalancer], []);
    expect(isOurs(rule(ruleDescription(CLUSTER, 'lb0')))).to.equal(true);
    expect(isOurs(rule(ruleDescription(CLUSTER, 'lb1')))).to.equal(false);
    expect(isOurs(rule(ruleDescription('other', 'lb0')))).to.equal(false);
    expect(isOurs(rule(`see ${ruleDescription(CLUSTER, 'lb0')}`))).to.equal(false);
    expect(isOurs(rule(`${ruleDescription(CLUSTER, 'lb0')} (do not touch)`))).to.equal(false);
  });

  it('of a cluster is not that of one whose name begins in the same way', () => {
    const isOurs = ownedBy('a', [oneArm(0, []).loadBalancer], []);
    expect(isOurs(rule(ruleDescription('a/lb0', 'lb0')))).to.equal(false);
  });

  it("decides also where the address is a load balancer's: what another owner made is his", () => {
    const isOurs = ownedBy(CLUSTER, [oneArm(0, [aListener(30080)]).loadBalancer], [{ name: 'lb1' }]);
    expect(isOurs(rule('', '10.0.0.1')), 'none').to.equal(true);
    expect(isOurs(rule('mine', '10.0.0.1')), "a user's").to.equal(false);
    expect(isOurs(rule(ruleDescription(CLUSTER, 'lb1'), '10.0.0.1')), "another load balancer's").to.equal(false);
    expect(isOurs(rule(ruleDescription('other', 'lb0'), '10.0.0.1')), "another cluster's").to.equal(false);
  });

  it('counts for nothing once the load balancer that it names is gone', () => {
    const isOurs = ownedBy(CLUSTER, [oneArm(0, [aListener(30080)]).loadBalancer], [{ name: 'lb0' }, { name: 'lb1' }]);
    const left = ruleDescription(CLUSTER, 'lb9');
    expect(isOurs(rule(left, '10.0.0.1')), 'our address').to.equal(true);
    expect(isOurs(rule(left, '10.0.0.9')), 'another address').to.equal(false);
    expect(isOurs({ ...rule(left, '10.0.0.1'), fromPort: 30081, toPort: 30081 }), 'another port').to.equal(false);
    expect(isOurs(rule(ruleDescription('other', 'lb9'), '10.0.0.1')), "another cluster's").to.equal(false);
  });
});
