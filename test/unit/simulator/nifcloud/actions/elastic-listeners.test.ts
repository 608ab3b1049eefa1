import { expect } from 'chai';
import { ElasticCloud, fullCode, listenerOf, NEW, WEB, withoutHealth } from './elastic-cloud.ts';
import type { Sent } from './elastic-cloud.ts';
import { until } from '../raw-client.ts';

const REGISTER_PORT = 'NiftyRegisterPortWithElasticLoadBalancer';
const CONFIGURE = 'NiftyConfigureElasticLoadBalancerHealthCheck';
const REGISTER = 'NiftyRegisterInstancesWithElasticLoadBalancer';
const DEREGISTER = 'NiftyDeregisterInstancesFromElasticLoadBalancer';
const HEALTH = 'NiftyDescribeInstanceElasticLoadBalancerHealth';
const MODIFY = 'NiftyModifyElasticLoadBalancerAttributes';
const REPLACE_CERTIFICATE = 'NiftyReplaceElasticLoadBalancerListenerSSLCertificate';

/** A call that modifies the listener that `WEB` names, unless it is said to be another. */
function modification(attributes: Sent, values: Sent = {}, named: Sent = WEB): Sent {
  const sent: Record<string, string | number> = { ...named };
  for (const [key, value] of Object.entries(attributes)) sent[`LoadBalancerAttributes.${key}`] = value;
  for (const [at, [key, value]] of Object.entries(values).entries()) {
    sent[`LoadBalancerAttributes.AdditionalAttributes.member.${at + 1}.Key`] = key;
    sent[`LoadBalancerAttributes.AdditionalAttributes.member.${at + 1}.Value`] = value;
  }
  return sent;
}

function additional(parameters: Sent): Sent {
  return modification({}, parameters);
}

function session(parameters: Sent): Sent {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, value]) => [`Session.StickinessPolicy.${key}`, value]),
  );
}

/** A listener that `web` is to get. */
function port(settings: Sent): Sent {
  return { ElasticLoadBalancerName: 'web', ...listenerOf(settings) };
}

/** An HTTPS listener with everything that it can have. */
const HTTPS = {
  Protocol: 'HTTPS',
  Description: 'the shop',
  SSLCertificateId: 'cert1',
  'Session.StickinessPolicy.Enable': 'true',
  'Session.StickinessPolicy.ExpirationPeriod': 3,
  'SorryPage.Enable': 'true',
  'SorryPage.RedirectUrl': 'http://sorry.example/',
};
const WEB_HTTPS = { ...WEB, Protocol: 'HTTPS' };

describe('Listeners of elastic load balancers', () => {
  let cloud: ElasticCloud;

  beforeEach(async () => {
    cloud = await ElasticCloud.start();
  });
  afterEach(() => cloud.simulator.stop());

  const targets = (): unknown[] => cloud.only.listeners[0]?.targets.map(({ serverName }) => serverName) ?? [];

  it('are added one by one, up to three, and answered as they are', async () => {
    await cloud.create();
    const answer = await cloud.change(REGISTER_PORT, {
      ElasticLoadBalancerName: 'web',
      ...listenerOf({ Protocol: 'UDP', BalancingType: 2, Description: 'dns' }),
    });
    expect(answer.at('NiftyRegisterPortWithElasticLoadBalancerResult.Listeners.member')).to.deep.equal([
      {
        Protocol: 'UDP',
        ElasticLoadBalancerPort: '18080',
        InstancePort: '30080',
        BalancingType: '2',
        Description: 'dns',
        SSLCertificateId: '',
      },
    ]);
    const third = { ElasticLoadBalancerId: cloud.only.uniqueId, ...listenerOf({ ElasticLoadBalancerPort: 18_081 }) };
    await cloud.change(REGISTER_PORT, third);
    expect(cloud.only.listeners.map((one) => `${one.protocol} ${one.loadBalancerPort}`)).to.deep.equal([
      'TCP 18080',
      'UDP 18080',
      'TCP 18081',
    ]);
    const fourth = { ElasticLoadBalancerName: 'web', ...listenerOf({ ElasticLoadBalancerPort: 18_082 }) };
    expect((await cloud.client.call(REGISTER_PORT, fourth)).code).to.equal(
      'Client.Inoperable.ElasticLoadBalancerPort.LimitExceeded',
    );
  });

  it('have servers of any zone as targets, by name or unique id, and say nothing about them in answers', async () => {
    await cloud.create();
    const registered = await cloud.change(REGISTER, { ...WEB, 'Instances.member.1.InstanceId': 'a' });
    expect(registered.body).to.contain('<NiftyRegisterInstancesWithElasticLoadBalancerResult></');
    await cloud.change(REGISTER, { ...WEB, 'Instances.member.1.InstanceUniqueId': 'i-bbbbbbbb' });
    expect(targets()).to.deep.equal(['a', 'b']);
    await cloud.change(DEREGISTER, { ...WEB, 'Instances.member.1.InstanceUniqueId': 'i-aaaaaaaa' });
    expect(targets()).to.deep.equal(['b']);
  });

  it('are told of a server and its health', async () => {
    await cloud.create({}, { 'Instances.member.1.InstanceId': 'a' });
    const health = (parameters: Sent = WEB) => cloud.client.done(HEALTH, parameters);
    const state = `${HEALTH}Result.InstanceStates.member.0`;
    await until(async () => (await health()).at(`${state}.State`) === 'InService');
    expect((await health({ ...WEB, 'Instances.member.1.InstanceUniqueId': 'i-aaaaaaaa' })).at(state)).to.deep.equal({
      InstanceId: 'a',
      InstanceUniqueId: 'i-aaaaaaaa',
      State: 'InService',
      ReasonCode: 'N/A',
      Description: '',
    });
    const member = {
      elasticLoadBalancerId: cloud.only.uniqueId,
      elasticLoadBalancerName: 'web',
      elasticLoadBalancerPort: '18080',
      instancePort: '30080',
      protocol: 'TCP',
    };
    const servers = await cloud.client.done('DescribeInstances', { 'InstanceId.1': 'a' });
    expect(servers.at('reservationSet.item.0.instancesSet.item.0.niftyElasticLoadBalancing.item')).to.deep.equal([
      member,
    ]);
    const attribute = await cloud.client.done('DescribeInstanceAttribute', {
      InstanceId: 'a',
      Attribute: 'elasticloadbalancing',
    });
    expect(attribute.at('niftyElasticLoadBalancing.item')).to.deep.equal([member]);
  });

  it('have a health check, whose path and codes go when they are not sent again', async () => {
    await cloud.create();
    const check = { 'HealthCheck.Interval': 300, 'HealthCheck.UnhealthyThreshold': 10 };
    const answer = await cloud.change(CONFIGURE, {
      ...WEB,
      ...check,
      'HealthCheck.Target': 'HTTPS:8443',
      'HealthCheck.Path': '/',
      'HealthCheck.Expectation.member.1.HttpCode': '4xx',
    });
    expect(answer.at(`${CONFIGURE}Result.HealthCheck`)).to.deep.equal({
      Target: 'HTTPS:8443',
      Interval: '300',
      UnhealthyThreshold: '10',
      Path: '/',
      Expectation: { member: [{ HttpCode: '4xx' }] },
    });
    const empty = { 'HealthCheck.Path': '', 'HealthCheck.Expectation.member': '' };
    await cloud.change(CONFIGURE, { ...WEB, ...check, ...empty, 'HealthCheck.Target': 'TCP:30080' });
    expect(cloud.only.listeners[0]?.healthCheck).to.deep.equal({
      target: 'TCP:30080',
      intervalSeconds: 300,
      unhealthyThreshold: 10,
      path: '',
      httpCodes: [],
    });
  });

  it('are modified in all that they are, and keep what the call does not mention', async () => {
    await cloud.create({}, { Description: 'the shop', 'Instances.member.1.InstanceId': 'a' });
    const answer = await cloud.client.done(
      MODIFY,
      modification(
        {
          'Session.StickinessPolicy.Enable': 'true',
          'Session.StickinessPolicy.Method': 2,
          'Session.StickinessPolicy.ExpirationPeriod': 5,
          'SorryPage.Enable': 'true',
        },
        {
          protocol: 'HTTPS',
          elasticLoadBalancerPort: 18_443,
          instancePort: 30_443,
          balancingType: 2,
          sslCertificateId: 'cert1',
        },
      ),
    );
    expect(answer.body).to.match(/^<NiftyModifyElasticLoadBalancerAttributesResponse[^>]*><ResponseMetadata>/);
    await cloud.settled();
    const [listener] = cloud.only.listeners;
    expect(listener).to.include({
      protocol: 'HTTPS',
      loadBalancerPort: 18_443,
      instancePort: 30_443,
      balancingType: 2,
      sslCertificateId: 'cert1',
      description: 'the shop',
    });
    expect(listener?.stickiness).to.deep.equal({ enabled: true, method: 2, periodMinutes: 5 });
    expect(listener?.sorryPage).to.deep.equal({ enabled: true, statusCode: 0, redirectUrl: '' });
    expect(targets()).to.deep.equal(['a']);
  });

  for (const [what, attributes, values, expected] of [
    ['an empty description', {}, { description: '' }, { description: '', sslCertificateId: 'cert1' }],
    ['a certificate', {}, { sslCertificateId: 'cert2' }, { sslCertificateId: 'cert2', protocol: 'HTTPS' }],
    ['the protocol HTTP, which has no certificate', {}, { protocol: 'HTTP' }, { sslCertificateId: '' }],
    [
      'what the Terraform provider sends with TCP',
      {
        'Session.StickinessPolicy.Enable': 'false',
        'Session.StickinessPolicy.Method': '',
        'SorryPage.Enable': 'false',
        'SorryPage.RedirectUrl': '',
      },
      { protocol: 'TCP', description: '', elasticLoadBalancerPort: 18_080, instancePort: 30_080, balancingType: 1 },
      { protocol: 'TCP', description: '', sslCertificateId: '' },
    ],
  ] as const) {
    it(`are modified by ${what}`, async () => {
      await cloud.create({}, HTTPS);
      await cloud.change(MODIFY, modification(attributes, values, WEB_HTTPS));
      expect(cloud.only.listeners[0]).to.include(expected);
    });
  }

  it('lose stickiness and sorry page when they are switched off, or the protocol has none', async () => {
    const none = { enabled: false, statusCode: 0, redirectUrl: '' };
    await cloud.create({}, HTTPS);
    await cloud.change(MODIFY, modification({ 'Session.StickinessPolicy.Enable': 'false' }, {}, WEB_HTTPS));
    expect(cloud.only.listeners[0]?.stickiness).to.deep.equal({ enabled: false, method: 1, periodMinutes: 0 });
    expect(cloud.only.listeners[0]?.sorryPage.enabled).to.equal(true);
    await cloud.change(MODIFY, modification({}, { protocol: 'UDP' }, WEB_HTTPS));
    expect(cloud.only.listeners[0]?.sorryPage).to.deep.equal(none);
  });

  it('of HTTPS get another certificate', async () => {
    await cloud.create({}, HTTPS);
    await cloud.change(REPLACE_CERTIFICATE, { ...WEB_HTTPS, SSLCertificateId: 'cert2' });
    expect(cloud.only.listeners[0]?.sslCertificateId).to.equal('cert2');
  });

  const create = 'NiftyCreateElasticLoadBalancer';
  const CHECK = {
    ...WEB,
    'HealthCheck.Target': 'ICMP',
    'HealthCheck.Interval': 5,
    'HealthCheck.UnhealthyThreshold': 1,
  };
  const codes = Object.fromEntries(
    Array.from({ length: 6 }, (_, at) => [`HealthCheck.Expectation.member.${at + 1}.HttpCode`, '2xx']),
  );
  // `web` has the listeners TCP 18080, with server a, and HTTP 18081. What creation needs besides is added.
  for (const [action, parameters, code] of [
    [create, listenerOf({ Protocol: '' }), 'Required.Protocol'],
    [create, listenerOf({ Protocol: 'FTP' }), 'IllegalInput.Protocol'],
    [create, listenerOf({ ElasticLoadBalancerPort: '' }), 'Required.ElasticLoadBalancerPort'],
    [create, listenerOf({ ElasticLoadBalancerPort: 65_536 }), 'IllegalInput.ElasticLoadBalancerPort'],
    [create, listenerOf({ InstancePort: 0 }), 'IllegalInput.InstancePort'],
    [create, listenerOf({ BalancingType: 3 }), 'IllegalInput.BalancingType'],
    [create, listenerOf({ Description: 'あ'.repeat(501) }), 'IllegalInput.Description'],
    [create, { 'Listeners.member.2.Protocol': 'TCP' }, 'IllegalInput.Listeners'],
    [create, listenerOf({ Protocol: 'HTTPS' }), 'Required.SSLCertificateId'],
    [create, listenerOf({ Protocol: 'HTTPS', SSLCertificateId: 'none' }), 'NotFound.SslCertificate'],
    [create, listenerOf({ Protocol: 'HTTP', SSLCertificateId: 'cert1' }), 'IllegalInput.SSLCertificateId'],
    [create, listenerOf({ 'Instances.member.1.InstanceId': 'nobody' }), 'NotFound.Instance'],
    [create, listenerOf({ 'Instances.member.1.InstanceUniqueId': 'i-00000000' }), 'NotFound.Instance'],
    [
      create,
      listenerOf({ 'Instances.member.1.InstanceId': 'busy' }),
      'Server.ResourceIncorrectState.Instance.Processing',
    ],
    [create, listenerOf({ 'HealthCheck.Path': '/' }), 'IllegalInput.Path'],
    [create, listenerOf(session({ Enable: 'true' })), 'Required.ExpirationPeriod'],
    [create, listenerOf(session({ Enable: 'true', ExpirationPeriod: 2 })), 'IllegalInput.ExpirationPeriod'],
    [create, listenerOf(session({ Enable: 'true', ExpirationPeriod: 1441 })), 'IllegalInput.ExpirationPeriod'],
    [create, listenerOf(session({ Method: 3 })), 'IllegalInput.Method'],
    [create, listenerOf({ 'SorryPage.Enable': 'true' }), 'IllegalInput.Enable'],
    [
      create,
      listenerOf({ Protocol: 'HTTP', 'SorryPage.Enable': 'true', 'SorryPage.RedirectUrl': 'ftp://x' }),
      'IllegalInput.RedirectUrl',
    ],
    [REGISTER_PORT, port({ InstancePort: '', ElasticLoadBalancerPort: 18_082 }), 'Required.InstancePort'],
    [REGISTER_PORT, port({}), 'Duplicate.Protocol.and.ElasticLoadBalancerPort'],
    [REGISTER_PORT, port({ Protocol: 'HTTP' }), 'Duplicate.Protocol.and.ElasticLoadBalancerPort'],
    [REGISTER_PORT, { ...port({}), ElasticLoadBalancerName: 'no' }, 'NotFound.ElasticLoadBalancer'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.Target': '' }, 'Required.Target'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.Target': 'UDP:53' }, 'IllegalInput.Target'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.Target': 'HTTP:70000' }, 'IllegalInput.Target'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.Interval': 301 }, 'IllegalInput.Interval'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.UnhealthyThreshold': '' }, 'Required.UnhealthyThreshold'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.UnhealthyThreshold': 0 }, 'IllegalInput.UnhealthyThreshold'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.Expectation.member.1.HttpCode': '2xx' }, 'IllegalInput.Expectation'],
    [CONFIGURE, { ...CHECK, 'HealthCheck.Target': 'HTTP:80', ...codes }, 'IllegalInput.Expectation'],
    [
      CONFIGURE,
      { ...CHECK, 'HealthCheck.Target': 'HTTP:80', 'HealthCheck.Expectation.member.1.HttpCode': '200' },
      'IllegalInput.HttpCode',
    ],
    [CONFIGURE, { ...CHECK, 'HealthCheck.Target': 'HTTP:80', 'HealthCheck.Path': 'x' }, 'IllegalInput.Path'],
    [
      CONFIGURE,
      { ...CHECK, 'HealthCheck.Target': 'HTTP:80', 'HealthCheck.Path': `/${'x'.repeat(255)}` },
      'IllegalInput.Path',
    ],
    [CONFIGURE, { ...CHECK, Protocol: 'UDP' }, 'NotFound.Protocol.or.ElasticLoadBalancerPort'],
    [REGISTER, WEB, 'Required.InstanceId'],
    [
      REGISTER,
      { ...WEB, 'Instances.member.1.InstanceId': 'b', 'Instances.member.2.InstanceId': 'nobody' },
      'NotFound.Instance',
    ],
    [
      REGISTER,
      { ...WEB, 'Instances.member.1.InstanceId': 'b', 'Instances.member.2.InstanceUniqueId': 'i-aaaaaaaa' },
      'Client.Inoperable.ElasticLoadBalancer.HavingRegisteredInstance',
    ],
    [
      REGISTER,
      { ...WEB, 'Instances.member.1.InstanceId': 'busy' },
      'Server.ResourceIncorrectState.Instance.Processing',
    ],
    [DEREGISTER, { ...WEB, 'Instances.member': '' }, 'Required.InstanceId'],
    [
      DEREGISTER,
      { ...WEB, 'Instances.member.1.InstanceId': 'a', 'Instances.member.2.InstanceId': 'b' },
      'NotFound.Instance',
    ],
    [HEALTH, { ...WEB, 'Instances.member.1.InstanceId': 'b' }, 'NotFound.Instance'],
    [HEALTH, { ...WEB, ElasticLoadBalancerPort: '' }, 'Required.ElasticLoadBalancerPort'],
    [MODIFY, additional({ name: 'x' }), 'IllegalInput.Key'],
    [MODIFY, additional({ protocol: '' }), 'Required.Value'],
    [MODIFY, additional({ protocol: 'HTTPS' }), 'Required.sslCertificateId'],
    [MODIFY, additional({ protocol: 'HTTPS', sslCertificateId: 'none' }), 'NotFound.SslCertificate'],
    [MODIFY, additional({ sslCertificateId: 'cert1' }), 'IllegalInput.Value'],
    [MODIFY, additional({ elasticLoadBalancerPort: 18_081 }), 'Duplicate.Protocol.and.ElasticLoadBalancerPort'],
    [MODIFY, additional({ instancePort: 'x' }), 'IllegalInput.Value'],
    [MODIFY, additional({ balancingType: 3 }), 'IllegalInput.Value'],
    [MODIFY, additional({ description: 'x'.repeat(501) }), 'IllegalInput.Value'],
    [
      MODIFY,
      {
        ...additional({ instancePort: 1 }),
        'LoadBalancerAttributes.AdditionalAttributes.member.2.Key': 'instancePort',
        'LoadBalancerAttributes.AdditionalAttributes.member.2.Value': 2,
      },
      'IllegalInput.Key',
    ],
    [MODIFY, modification({ 'SorryPage.Enable': 'true' }), 'IllegalInput.Enable'],
    [MODIFY, modification(session({ Enable: 'true', ExpirationPeriod: 1441 })), 'IllegalInput.ExpirationPeriod'],
    [REPLACE_CERTIFICATE, { ...WEB, SSLCertificateId: 'cert1' }, 'IllegalInput.Protocol'],
    [REPLACE_CERTIFICATE, { ...WEB_HTTPS, SSLCertificateId: 'cert1' }, 'NotFound.Protocol.or.ElasticLoadBalancerPort'],
  ] as const) {
    it(`refuse ${action} of ${JSON.stringify(parameters).slice(0, 300)} as ${code}, and stay as they are`, async () => {
      await cloud.create({}, { 'Instances.member.1.InstanceId': 'a' });
      await cloud.change(REGISTER_PORT, port({ Protocol: 'HTTP', ElasticLoadBalancerPort: 18_081 }));
      const before = cloud.simulator.state();
      const sent =
        action === create ? { ...NEW, ElasticLoadBalancerName: 'new', ...listenerOf(), ...parameters } : parameters;
      expect((await cloud.client.call(action, sent)).code).to.equal(fullCode(code));
      expect(withoutHealth(cloud.simulator.state())).to.deep.equal(withoutHealth(before));
    });
  }

  it('refuse a certificate that does not exist in place of theirs', async () => {
    await cloud.create({}, HTTPS);
    const refused = await cloud.client.call(REPLACE_CERTIFICATE, { ...WEB_HTTPS, SSLCertificateId: 'none' });
    expect(refused.code).to.equal('Client.InvalidParameterNotFound.SslCertificate');
    expect(cloud.only.listeners[0]?.sslCertificateId).to.equal('cert1');
  });
});

describe('Targets of an elastic load balancer where zones matter', () => {
  let cloud: ElasticCloud;

  beforeEach(async () => {
    cloud = await ElasticCloud.start('elastic-targets=same-zone');
  });
  afterEach(() => cloud.simulator.stop());

  it('are servers of its zone', async () => {
    await cloud.create({}, { 'Instances.member.1.InstanceId': 'a' });
    const far = await cloud.client.call(REGISTER, { ...WEB, 'Instances.member.1.InstanceId': 'b' });
    expect(far.code).to.equal('Client.Inoperable.Instance.DifferentZone');
    const born = await cloud.client.call('NiftyCreateElasticLoadBalancer', {
      ...NEW,
      ...listenerOf({ 'Instances.member.1.InstanceId': 'b' }),
      ElasticLoadBalancerName: 'other',
    });
    expect(born.code).to.equal('Client.Inoperable.Instance.DifferentZone');
    expect(cloud.only.listeners[0]?.targets.map(({ serverName }) => serverName)).to.deep.equal(['a']);
  });
});
