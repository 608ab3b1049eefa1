import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

const FLEET = parseFleet(
  `
zones: [east-11]
certificates: [cert1, cert2]
servers:
  - { name: a, uniqueId: i-aaaaaaaa, zone: east-11, privateAddress: 127.11.9.1 }
`,
  'fleet',
);
/** The two ports of the load balancer. */
const HTTP = { LoadBalancerName: 'web', LoadBalancerPort: 80, InstancePort: 30_080 };
const OTHER = { LoadBalancerName: 'web', LoadBalancerPort: 18_081, InstancePort: 30_081 };
const CHECK = { 'HealthCheck.Target': 'TCP:30080', 'HealthCheck.Interval': 30, 'HealthCheck.UnhealthyThreshold': 2 };
const MEMBERS = 'DescribeLoadBalancersResult.LoadBalancerDescriptions.member';

describe('Options of L4 load balancers', () => {
  let simulator: Simulator;
  let client: RawClient;
  let clock: FakeClock;

  const start = async (switches = ''): Promise<void> => {
    clock = new FakeClock();
    ({ simulator, client } = await startCloud({ clock, fleet: FLEET, vipRange: '127.100.9.1', switches }));
    await client.done('CreateLoadBalancer', {
      LoadBalancerName: 'web',
      'Listeners.member.1.LoadBalancerPort': 80,
      'Listeners.member.1.InstancePort': 30_080,
    });
    await client.done('RegisterPortWithLoadBalancer', {
      LoadBalancerName: 'web',
      'Listeners.member.1.LoadBalancerPort': 18_081,
      'Listeners.member.1.InstancePort': 30_081,
    });
  };
  afterEach(() => simulator.stop());

  const port = () => simulator.state().loadBalancers[0]?.ports[0];
  const kept = () => ({
    addresses: port()?.filter.addresses,
    targets: port()?.targets.map(({ serverName }) => serverName),
    check: port()?.healthCheck.target,
  });
  const options = async (): Promise<unknown[]> => (await client.done('DescribeLoadBalancers')).each(MEMBERS, 'Option');

  it('are switched on for one port, shown, and forgotten when switched off', async () => {
    await start();
    const answer = await client.done('UpdateLoadBalancerOption', {
      ...HTTP,
      'SessionStickinessPolicyUpdate.Enable': 'true',
      'SessionStickinessPolicyUpdate.ExpirationPeriod': 60,
      'SorryPageUpdate.Enable': 'true',
      'SorryPageUpdate.StatusCode': 503,
    });
    expect(answer.body).to.match(/^<UpdateLoadBalancerOptionResponse[^>]*><ResponseMetadata>/);
    const off = {
      SessionStickinessPolicy: { Enabled: 'false', ExpirationPeriod: '' },
      SorryPage: { Enabled: 'false' },
    };
    const on = {
      SessionStickinessPolicy: { Enabled: 'true', ExpirationPeriod: '60' },
      SorryPage: { Enabled: 'true', StatusCode: '503' },
    };
    expect(await options()).to.deep.equal([on, off]);
    // What is not mentioned stays.
    await client.done('UpdateLoadBalancerOption', { ...HTTP, 'SorryPageUpdate.StatusCode': 200 });
    await client.done('UpdateLoadBalancerOption', { ...HTTP, 'SessionStickinessPolicyUpdate.Enable': 'false' });
    expect(await options()).to.deep.equal([{ ...off, SorryPage: { Enabled: 'true', StatusCode: '200' } }, off]);
  });

  it('lose the sorry page with port 80', async () => {
    await start();
    await client.done('UpdateLoadBalancerOption', {
      ...HTTP,
      'SorryPageUpdate.Enable': 'true',
      'SorryPageUpdate.StatusCode': 200,
    });
    const listener = { 'ListenerUpdate.LoadBalancerPort': 80, 'ListenerUpdate.InstancePort': 30_080 };
    await client.done('UpdateLoadBalancer', {
      LoadBalancerName: 'web',
      ...listener,
      'ListenerUpdate.Listener.BalancingType': 2,
    });
    expect(port()?.sorryPage.enabled).to.equal(true);
    await client.done('UpdateLoadBalancer', {
      LoadBalancerName: 'web',
      ...listener,
      'ListenerUpdate.Listener.LoadBalancerPort': 8080,
    });
    expect(port()?.sorryPage).to.deep.equal({ enabled: false, statusCode: 0, redirectUrl: '' });
  });

  it('end sessions at the time of the call', async () => {
    await start();
    await clock.advance(1000);
    const answer = await client.done('ClearLoadBalancerSession', HTTP);
    expect(answer.body).to.contain('<ClearLoadBalancerSessionResult></');
    expect(port()?.sessionsClearedAtMs).to.equal(clock.now());
    expect(simulator.state().loadBalancers[0]?.ports[1]?.sessionsClearedAtMs).to.equal(0);
  });

  it('are a certificate and a policy of SSL, by id or name', async () => {
    await start();
    const shown = async (): Promise<unknown> =>
      (await client.done('DescribeLoadBalancers')).at(`${MEMBERS}.0.ListenerDescriptions.member.0.Listener`);
    await client.done('SetLoadBalancerListenerSSLCertificate', { ...HTTP, SSLCertificateId: 'cert1' });
    await client.done('SetLoadBalancerListenerSSLCertificate', { ...HTTP, SSLCertificateId: 'cert2' });
    await client.done('NiftySetLoadBalancerSSLPoliciesOfListener', { ...HTTP, SSLPolicyId: 3 });
    expect(await shown()).to.deep.include({
      SSLCertificateId: 'cert2',
      SSLPolicy: { SSLPolicyId: '3', SSLPolicyName: '' },
    });
    const policy = await client.done('NiftySetLoadBalancerSSLPoliciesOfListener', {
      ...HTTP,
      SSLPolicyName: 'Strict 1',
    });
    expect(policy.body).to.match(/^<NiftySetLoadBalancerSSLPoliciesOfListenerResponse[^>]*><ResponseMetadata>/);
    expect(await shown()).to.deep.include({ SSLPolicy: { SSLPolicyId: '', SSLPolicyName: 'Strict 1' } });
    await client.done('UnsetLoadBalancerListenerSSLCertificate', HTTP);
    await client.done('NiftyUnsetLoadBalancerSSLPoliciesOfListener', HTTP);
    expect(await shown()).to.deep.include({
      SSLCertificateId: '',
      SSLPolicy: { SSLPolicyId: '', SSLPolicyName: '' },
    });
  });

  for (const [value, addresses, targets, check] of [
    ['keep', ['192.0.2.1'], ['a'], 'TCP:30080'],
    ['reset', [], [], 'ICMP'],
  ] as const) {
    it(`of a changed listener ${value} its filter, targets and check where the cloud does so`, async () => {
      await start(`updated-listener=${value}`);
      await client.done('SetFilterForLoadBalancer', { ...HTTP, 'IPAddresses.member.1.IPAddress': '192.0.2.1' });
      await client.done('RegisterInstancesWithLoadBalancer', { ...HTTP, 'Instances.member.1.InstanceId': 'a' });
      await client.done('ConfigureHealthCheck', { ...HTTP, ...CHECK });
      await client.done('UpdateLoadBalancer', { LoadBalancerName: 'web', NetworkVolumeUpdate: 20 });
      expect(kept()).to.deep.equal({ addresses: ['192.0.2.1'], targets: ['a'], check: 'TCP:30080' });
      await client.done('UpdateLoadBalancer', {
        LoadBalancerName: 'web',
        'ListenerUpdate.LoadBalancerPort': 80,
        'ListenerUpdate.InstancePort': 30_080,
        'ListenerUpdate.Listener.InstancePort': 30_082,
      });
      expect(kept()).to.deep.equal({ addresses, targets, check });
    });
  }

  for (const [switches, parameters, names] of [
    ['', { 'LoadBalancerNames.member': '' }, ['web', 'web']],
    ['empty-names=none', { 'LoadBalancerNames.member': '' }, []],
    ['empty-names=none', {}, ['web', 'web']],
    [
      'unknown-names=skip',
      { 'LoadBalancerNames.member.1': 'nobody', 'LoadBalancerNames.member.2': 'web' },
      ['web', 'web'],
    ],
  ] as const) {
    it(`do not matter to a description of ${JSON.stringify(parameters)} with ${switches || 'no switch'}`, async () => {
      await start(switches);
      const answer = await client.done('DescribeLoadBalancers', parameters);
      expect(answer.each(MEMBERS, 'LoadBalancerName')).to.deep.equal(names);
    });
  }

  it('do not make up for a call that names nothing that exists', async () => {
    await start('unknown-names=skip');
    const refused = await client.call('DescribeLoadBalancers', { 'LoadBalancerNames.member.1': 'nobody' });
    expect(refused.code).to.equal('Client.InvalidParameterNotFound.LoadBalancer');
  });

  const update = 'UpdateLoadBalancerOption';
  const sticky = 'SessionStickinessPolicyUpdate';
  for (const [action, parameters, code] of [
    [update, { ...HTTP, [`${sticky}.Enable`]: 'true' }, 'Required.ExpirationPeriod'],
    [update, { ...HTTP, [`${sticky}.Enable`]: 'yes' }, 'IllegalInput.Enable'],
    [update, { ...HTTP, [`${sticky}.ExpirationPeriod`]: 61 }, 'IllegalInput.ExpirationPeriod'],
    [update, { ...HTTP, 'SorryPageUpdate.Enable': 'true' }, 'Required.StatusCode'],
    [update, { ...HTTP, 'SorryPageUpdate.StatusCode': 404 }, 'IllegalInput.StatusCode'],
    [update, { ...OTHER, 'SorryPageUpdate.Enable': 'true', 'SorryPageUpdate.StatusCode': 200 }, 'IllegalInput.Enable'],
    [update, { ...HTTP, LoadBalancerName: 'no' }, 'NotFound.LoadBalancer'],
    ['ClearLoadBalancerSession', { ...HTTP, InstancePort: 1 }, 'NotFound.LoadBalancerPort'],
    ['SetLoadBalancerListenerSSLCertificate', HTTP, 'Required.SSLCertificateId'],
    ['SetLoadBalancerListenerSSLCertificate', { ...HTTP, SSLCertificateId: 'none' }, 'NotFound.SslCertificate'],
    ['UnsetLoadBalancerListenerSSLCertificate', { ...HTTP, LoadBalancerPort: '' }, 'Required.LoadBalancerPort'],
    ['NiftySetLoadBalancerSSLPoliciesOfListener', HTTP, 'Required.SSLPolicyId'],
    [
      'NiftySetLoadBalancerSSLPoliciesOfListener',
      { ...HTTP, SSLPolicyId: 1, SSLPolicyName: 'x' },
      'IllegalInput.SSLPolicyName',
    ],
    ['NiftyUnsetLoadBalancerSSLPoliciesOfListener', { ...HTTP, LoadBalancerName: 'no' }, 'NotFound.LoadBalancer'],
  ] as const) {
    it(`are not changed by ${action} of ${JSON.stringify(parameters)}`, async () => {
      await start();
      const before = simulator.state();
      expect((await client.call(action, parameters)).code).to.equal(`Client.InvalidParameter${code}`);
      expect(simulator.state()).to.deep.equal(before);
    });
  }
});
