import { expect } from 'chai';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { Servers } from '../../../nifcloud/servers.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf, RecordedApi } from './recorded-api.ts';

const never = new AbortController().signal;
const logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

// Shape of docs/reference/nifcloud-api.md §2.2, with the capital letter of the recorded answer.
const NODE01 = `<item><reservationId/><groupSet><item><groupId>nodes</groupId></item><item><groupId>ssh</groupId></item></groupSet>
  <instancesSet><item><AccountingType>2</AccountingType><instanceId>node01</instanceId><instanceUniqueId>i-0abc1def</instanceUniqueId>
  <instanceState><code>16</code><name>running</name></instanceState><instanceType>e-medium8</instanceType>
  <ipAddress>198.51.100.7</ipAddress><privateIpAddress>10.100.0.7</privateIpAddress><blockDeviceMapping/>
  <networkInterfaceSet><item><niftyNetworkId>net-COMMON_GLOBAL</niftyNetworkId><niftyNetworkName/><privateIpAddress/>
  <association><publicIp>198.51.100.7</publicIp></association></item><item><niftyNetworkId>net-0abc1def</niftyNetworkId>
  <niftyNetworkName>lan1</niftyNetworkName><privateIpAddress>10.100.0.7</privateIpAddress></item></networkInterfaceSet>
  <placement><availabilityZone>east-11</availabilityZone></placement></item></instancesSet></item>`;
const NODE02 = `<item><groupSet/><instancesSet><item><instanceId>node02</instanceId><instanceUniqueId>i-0abc2def</instanceUniqueId>
  <instanceState><code>80</code><name>stopped</name></instanceState><ipAddress/><placement/></item></instancesSet></item>`;

const disk = (device: string, id: string): string =>
  `<item><deviceName>${device}</deviceName><ebs><volumeId>${id}</volumeId><volumeUniqueId>vol-${id}</volumeUniqueId><status>attached</status></ebs></item>`;

async function list(
  content: string,
): Promise<{ servers: Awaited<ReturnType<Servers['list']>>; api: RecordedApi; logged: unknown[] }> {
  const clock = new FakeClock();
  const api = new RecordedApi(() => content);
  const logged: unknown[] = [];
  const recorder = { ...logger, debug: (_: number, __: string, fields: unknown) => void logged.push(fields) };
  const listing = new Servers(api, clock, recorder, 3_000).list(never);
  await clock.advance(5);
  return { servers: await listing, api, logged };
}

describe('servers', () => {
  it('have the IPv6 addresses of all interfaces, each once', async () => {
    const interfaces = `<networkInterfaceSet><item><niftyNetworkId>net-COMMON_GLOBAL</niftyNetworkId>
      <association><publicIp/><publicIpV6>2001:db8::7</publicIpV6></association></item><item><privateIpAddressV6>fd00::7</privateIpAddressV6>
      </item></networkInterfaceSet><ipAddressV6>2001:db8::7</ipAddressV6><privateIpAddressV6/>`;
    const instance = `<item><instanceId>node07</instanceId><instanceUniqueId>i-0abc7def</instanceUniqueId>${interfaces}</item>`;
    const { servers } = await list(
      `<reservationSet><item><instancesSet>${instance}</instancesSet></item>${NODE02}</reservationSet>`,
    );
    expect(servers.map(({ ipv6 }) => ipv6)).to.deep.equal([
      { private: ['fd00::7'], public: ['2001:db8::7'] },
      undefined,
    ]);
  });

  it('are listed by one call without names', async () => {
    const { servers, api, logged } = await list(`<reservationSet>${NODE01}${NODE02}</reservationSet>`);
    expect(api.calls).to.deep.equal([{ kind: 'read', action: 'DescribeInstances', sent: {} }]);
    expect(servers).to.deep.equal([
      {
        name: 'node01',
        uniqueId: 'i-0abc1def',
        zone: 'east-11',
        type: 'e-medium8',
        state: 'running',
        privateAddress: '10.100.0.7',
        publicAddress: '198.51.100.7',
        firewallGroups: ['nodes', 'ssh'],
        interfaces: [
          { networkId: 'net-COMMON_GLOBAL', networkName: '', privateAddress: '', publicAddress: '198.51.100.7' },
          { networkId: 'net-0abc1def', networkName: 'lan1', privateAddress: '10.100.0.7', publicAddress: '' },
        ],
      },
      {
        name: 'node02',
        uniqueId: 'i-0abc2def',
        zone: '',
        type: '',
        state: 'stopped',
        privateAddress: '',
        publicAddress: '',
        firewallGroups: [],
        interfaces: [],
      },
    ]);
    expect(logged).to.deep.equal([]);
  });

  const odd: [what: string, entry: string][] = [
    ['an empty instance set', '<item><reservationId>r</reservationId><instancesSet/></item>'],
    [
      'an entry without a name',
      '<item><instancesSet><item><instanceUniqueId>i-1</instanceUniqueId></item></instancesSet></item>',
    ],
    [
      'an entry without a unique id',
      '<item><instancesSet><item><instanceId>x</instanceId></item></instancesSet></item>',
    ],
  ];
  for (const [what, entry] of odd) {
    it(`leave out ${what}, with a note in the log, and keep the others`, async () => {
      const { servers, logged } = await list(`<reservationSet>${entry}${NODE01}</reservationSet>`);
      expect(servers.map(({ name }) => name)).to.deep.equal(['node01']);
      expect(logged).to.deep.equal([{ skipped: 1 }]);
    });
  }

  it('are none in an answer without any', async () => {
    expect((await list('<reservationSet/>')).servers).to.deep.equal([]);
  });

  it('show their disks with the slot, however the device is spelled', async () => {
    const api = new RecordedApi(
      () =>
        `<instanceId>node01</instanceId><instanceUniqueId>i-0abc1def</instanceUniqueId><blockDeviceMapping>
         ${disk('SCSI (0:1)', 'a')}${disk('SCSI(0:15)', 'b')}${disk('', 'c')}</blockDeviceMapping>`,
    );
    const { serverUniqueId, disks } = await new Servers(api, new FakeClock(), logger, 3_000).disks('node01', never);
    expect(api.calls[0]!.sent).to.deep.equal({ InstanceId: 'node01', Attribute: 'blockDeviceMapping' });
    expect(serverUniqueId).to.equal('i-0abc1def');
    expect(disks.map(({ slot }) => slot)).to.deep.equal([1, 15, Number.NaN]);
    expect(disks[0]).to.deep.equal({
      slot: 1,
      device: 'SCSI (0:1)',
      volumeId: 'a',
      volumeUniqueId: 'vol-a',
      status: 'attached',
    });
  });

  it('show no disks when the answer does not say whose they are', async () => {
    const servers = new Servers(new RecordedApi(() => '<blockDeviceMapping/>'), new FakeClock(), logger, 3_000);
    expect(String(await errorOf(servers.disks('node01', never)))).to.contain('<instanceUniqueId>');
  });

  const calls: [string, (servers: Servers) => Promise<unknown>, string, Record<string, string>][] = [
    ['start', (servers) => servers.start('node01', never), 'StartInstances', {}],
    ['stop', (servers) => servers.stop('node01', { force: false }, never), 'StopInstances', { Force: 'false' }],
    ['switch off', (servers) => servers.stop('node01', { force: true }, never), 'StopInstances', { Force: 'true' }],
    ['restart', (servers) => servers.reboot('node01', { force: true }, never), 'RebootInstances', { Force: 'true' }],
  ];
  for (const [verb, call, action, sent] of calls) {
    it(`${verb} when asked to`, async () => {
      const api = new RecordedApi();
      await call(new Servers(api, new FakeClock(), logger, 3_000));
      expect(api.calls).to.deep.equal([{ kind: 'mutate', action, sent: { 'InstanceId.1': 'node01', ...sent } }]);
    });
  }

  it('are waited for by unique id, all in one listing a tick', async () => {
    const clock = new FakeClock();
    let content = `<reservationSet>${NODE01}${NODE02}</reservationSet>`;
    const api = new RecordedApi(() => content);
    const servers = new Servers(api, clock, logger, 3_000);
    const stopped = servers.until(
      'i-0abc1def',
      (server) => (server?.state === 'stopped' ? server.name : undefined),
      never,
    );
    const gone = servers.until('i-0abc2def', (server) => (server === undefined ? 'gone' : undefined), never);
    await clock.advance(3_005);
    content = `<reservationSet>${NODE01.replace('running', 'stopped').replace('node01', 'renamed')}</reservationSet>`;
    await clock.advance(3_005);
    expect(await Promise.all([stopped, gone])).to.deep.equal(['renamed', 'gone']);
    expect(api.calls.map(({ sent }) => sent)).to.deep.equal([{}, {}]);
  });
});

const find = async (answer: string | Error): Promise<unknown> => {
  const api = new RecordedApi(() => {
    if (answer instanceof Error) throw answer;
    return answer;
  });
  const result = await new Servers(api, new FakeClock(), logger, 3_000)
    .find('node01', never)
    .catch((error: unknown) => error);
  expect(api.calls).to.deep.equal([{ kind: 'read', action: 'DescribeInstances', sent: { 'InstanceId.1': 'node01' } }]);
  return result;
};

const refusal = (code: string): NifcloudError =>
  new NifcloudError({ action: 'DescribeInstances', code, detail: '', outcome: 'refused' });

describe('one server by its name', () => {
  it('is found', async () => {
    const answer = `<reservationSet>${NODE02}${NODE01}</reservationSet>`;
    expect(await find(answer)).to.include({ name: 'node01', uniqueId: 'i-0abc1def' });
  });
  it('does not exist only when the cloud says so by the code for it', async () => {
    expect(await find(refusal('Client.InvalidParameterNotFound.Instance'))).to.equal(undefined);
  });
  const doubts: [string, string | Error][] = [
    ['shows none', '<reservationSet/>'],
    ['shows another one', `<reservationSet>${NODE02}</reservationSet>`],
    ['misses something else', refusal('Client.InvalidParameterNotFound.Tenancy')],
    ['is an internal error', refusal('Server.InternalError')],
  ];
  for (const [what, answer] of doubts) {
    it(`is not known not to exist when the answer ${what}`, async () => {
      expect(await find(answer)).to.be.instanceOf(Error);
    });
  }
});
