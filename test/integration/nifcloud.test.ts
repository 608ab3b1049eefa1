import { expect } from 'chai';
import { isInUse, isNotFound } from '../../nifcloud/errors.ts';
import { isSameRule, type FirewallRule } from '../../nifcloud/firewall-groups.ts';
import type { Nifcloud } from '../../nifcloud/nifcloud.ts';
import { startSimulator, type Simulator } from '../../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import { clientOf } from './cloud-client.ts';

const never = new AbortController().signal;

const FLEET = {
  zones: ['east-11', 'east-12'],
  networks: [{ name: 'lan1', id: 'net-0abc1def', zone: 'east-11', cidr: '192.168.0.0/24' }],
  routers: [{ name: 'router1', zone: 'east-11', interfaces: [{ network: 'lan1', ipAddress: '192.168.0.1' }] }],
  certificates: ['cert-1', 'cert-2'],
  groups: [{ name: 'nodes11', zone: 'east-11' }],
  servers: [
    { name: 'node01', zone: 'east-11', privateAddress: '127.11.0.1', firewallGroup: 'nodes11' },
    { name: 'node02', zone: 'east-12', privateAddress: '127.12.0.1' },
  ],
};

/** What a call throws; `undefined` when it succeeds. */
async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** The client and the simulator read the same facts sheet and share no code: where they disagree, one of them misread it. */
describe('the client and the simulator agree on', () => {
  let simulator: Simulator;
  let cloud: Nifcloud;
  before(async () => {
    simulator = await startSimulator({
      latencyMs: 0,
      transition: '0ms',
      fleet: parseFleet(JSON.stringify(FLEET), 'the test'),
    });
    cloud = clientOf(simulator);
  });
  after(() => simulator.stop());
  afterEach('every parameter that was sent', () => {
    const unknown = simulator.calls().flatMap(({ action, ignoredParameters = [] }) => {
      return ignoredParameters.map((name) => `${action}: ${name}`);
    });
    expect(unknown).to.deep.equal([]);
  });

  it('servers', async () => {
    const [server] = await cloud.servers.list(never);
    expect(server).to.deep.include({ name: 'node01', state: 'running', zone: 'east-11', firewallGroups: ['nodes11'] });
    const { uniqueId } = server!;
    const untilState = (state: string): Promise<true> =>
      cloud.servers.until(uniqueId, (now) => (now?.state === state ? true : undefined), never);
    await cloud.servers.stop('node01', { force: true }, never);
    await untilState('stopped');
    await cloud.servers.start('node01', never);
    await untilState('running');
    await cloud.servers.reboot('node01', { force: false }, never);
    await untilState('running');
    expect(isNotFound(await failure(cloud.servers.start('nobody', never)), 'Instance')).to.equal(true);
  });

  it('volumes', async () => {
    const { volumes } = cloud;
    const wanted = { sizeGB: 100, diskType: '6', accountingType: '2', description: 'first', serverName: 'node01' };
    await volumes.create({ id: 'vol1', ...wanted }, never);
    await volumes.until('vol1', (one) => (one?.attachments[0]?.status === 'attached' ? one : undefined), never);
    await volumes.setDescription('vol1', 'テスト', never);
    await volumes.setAccountingType('vol1', '1', never);
    await volumes.rename('vol1', 'vol2', never);
    const [volume] = await volumes.list(never);
    expect(volume).to.deep.include({ id: 'vol2', description: 'テスト', nextMonthAccountingType: '1' });
    expect((await cloud.servers.disks('node01', never)).disks.map(({ volumeId }) => volumeId)).to.include('vol2');
    await volumes.detach({ volumeId: 'vol2', serverName: 'node01' }, never);
    await volumes.until('vol2', (one) => (one?.status === 'available' ? one : undefined), never);
    await volumes.delete('vol2', never);
    await volumes.until('vol2', (one) => (one === undefined ? true : undefined), never);
  });

  it('L4 load balancers', async () => {
    const balancers = cloud.l4LoadBalancers;
    const listener = { loadBalancerPort: 80, instancePort: 30080 };
    const key = { name: 'lb1', ...listener };
    await balancers.create({ name: 'lb1', listener, ipVersion: 'v4', policyType: 'standard' }, never);
    await balancers.registerTargets(key, ['node01', 'node02'], never);
    await balancers.configureHealthCheck(key, { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 2 }, never);
    await balancers.setOptions(key, { stickiness: { periodMinutes: 5 }, sorryPage: { statusCode: 503 } }, never);
    await balancers.setCertificate(key, 'cert-1', never);
    await balancers.clearSessions(key, never);
    const states = await balancers.targetHealth(key, never);
    expect(states.map(({ serverName }) => serverName)).to.deep.equal(['node01', 'node02']);
    expect(await balancers.targetHealth(key, never, ['node02'])).to.have.length(1);

    const [seen] = await balancers.list(never);
    expect(seen!.zones.length).to.be.greaterThan(0);
    expect(seen!.createdAt).to.match(/^\d{4}-/);
    expect(seen!.listeners[0]).to.deep.include({
      stickiness: { periodMinutes: 5 },
      sorryPage: { statusCode: 503 },
      certificateId: 'cert-1',
    });
    await balancers.setOptions(key, { stickiness: 'off' }, never);
    await balancers.unsetCertificate(key, never);
    await balancers.update('lb1', { newName: 'lb2', networkVolumeMbps: 100 }, never);
    const [renamed] = await balancers.list(never);
    expect(renamed).to.deep.include({ name: 'lb2', networkVolumeMbps: 100 });
    expect(renamed!.listeners[0]).to.deep.include({ stickiness: undefined, certificateId: '' });
    await balancers.updateListener({ ...key, name: 'lb2' }, { loadBalancerPort: 8080 }, never);
    await balancers.deleteListener({ name: 'lb2', loadBalancerPort: 8080, instancePort: 30080 }, never);
    expect(await balancers.list(never)).to.deep.equal([]);
  });

  it('elastic load balancers', async () => {
    const balancers = cloud.elasticLoadBalancers;
    const servers = await cloud.servers.list(never);
    const [first] = servers.map(({ uniqueId }) => uniqueId);
    const idle = (): ReturnType<typeof balancers.until<{ id: string }>> =>
      balancers.until('elb1', (one) => (one?.state === 'available' ? one : undefined), never);
    await balancers.create(
      {
        name: 'elb1',
        zone: 'east-11',
        networkVolumeMbps: 20,
        accountingType: '2',
        interfaces: [
          { networkId: 'net-COMMON_GLOBAL', isVip: true },
          {
            networkId: 'net-0abc1def',
            isVip: false,
            address: '192.168.0.5',
            systemAddresses: ['192.168.0.6', '192.168.0.7'],
          },
        ],
        listener: {
          protocol: 'HTTPS',
          loadBalancerPort: 443,
          instancePort: 30443,
          description: 'first',
          balancingType: 2,
          certificateId: 'cert-1',
          serverUniqueIds: [first!],
          healthCheck: {
            target: 'HTTP:30443',
            intervalSeconds: 7,
            unhealthyThreshold: 2,
            path: '/x',
            httpCodes: ['2xx'],
          },
          stickiness: { method: 'cookie', periodMinutes: 3 },
          sorryPage: { redirectUrl: 'https://sorry.example/' },
        },
      },
      never,
    );
    const { id } = await idle();
    const [made] = await balancers.list(never);
    expect(made!.vip).not.to.equal('');
    expect(made!.interfaces.map(({ isVip, systemAddresses }) => [isVip, systemAddresses.length])).to.deep.equal([
      [true, 2],
      [false, 2],
    ]);
    expect(made!.listeners).to.deep.equal([
      {
        protocol: 'HTTPS',
        loadBalancerPort: 443,
        instancePort: 30443,
        balancingType: 2,
        description: 'first',
        certificateId: 'cert-1',
        healthCheck: {
          target: 'HTTP:30443',
          intervalSeconds: 7,
          unhealthyThreshold: 2,
          path: '/x',
          httpCodes: ['2xx'],
        },
        targets: [{ serverName: 'node01', serverUniqueId: first }],
        stickiness: { method: 'cookie', periodMinutes: 3 },
        sorryPage: { redirectUrl: 'https://sorry.example/' },
      },
    ]);

    const https = { id, protocol: 'HTTPS', loadBalancerPort: 443, instancePort: 30443 };
    const dns = { id, protocol: 'UDP', loadBalancerPort: 53, instancePort: 30053 };
    const changes: (() => Promise<unknown>)[] = [
      () => balancers.registerPort({ id }, { ...dns, description: 'second' }, never),
      () => balancers.registerTargets(dns, [first!], never),
      () => balancers.configureHealthCheck(dns, { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1 }, never),
      () => balancers.replaceCertificate(https, 'cert-2', never),
      () => balancers.modifyListener(https, { description: 'changed', balancingType: 1, stickiness: 'off' }, never),
      () => balancers.update({ name: 'elb1' }, { networkVolumeMbps: 100, accountingType: '1' }, never),
      () => balancers.deregisterTargets(https, [first!], never),
    ];
    for (const change of changes) {
      await change();
      await idle();
    }
    expect((await balancers.targetHealth(dns, never)).map(({ serverUniqueId }) => serverUniqueId)).to.deep.equal([
      first,
    ]);
    const [changed] = await balancers.list(never);
    expect(changed).to.deep.include({ networkVolumeMbps: 100, nextMonthAccountingType: '1' });
    expect(
      changed!.listeners.map(({ description, targets, stickiness }) => [description, targets.length, stickiness]),
    ).to.deep.equal([
      ['changed', 0, undefined],
      ['second', 1, undefined],
    ]);

    const table = await cloud.routeTables.create(never);
    await balancers.associateRouteTable(id, table.id, never);
    await idle();
    const [associated] = await balancers.list(never);
    expect(associated!.routeTableId).to.equal(table.id);
    await balancers.disassociateRouteTable(associated!.routeTableAssociationId, never);
    await idle();

    await balancers.deleteListener(https, never);
    await idle();
    await balancers.deleteListener(dns, never);
    await balancers.until(id, (one) => (one === undefined ? true : undefined), never);
    expect(isNotFound(await failure(balancers.deleteListener(dns, never)), 'ElasticLoadBalancer')).to.equal(true);
    await cloud.routeTables.delete(table.id, never);
  });

  it('firewall groups', async () => {
    const groups = cloud.firewallGroups;
    const applied = (name: string): ReturnType<typeof groups.until<{ rules: readonly FirewallRule[] }>> =>
      groups.until(name, (one) => (one?.status === 'applied' ? one : undefined), never);
    const rules: readonly FirewallRule[] = [
      { direction: 'in', protocol: 'TCP', fromPort: 30080, cidr: '192.0.2.1', description: 'ours' },
      { direction: 'in', protocol: 'UDP', fromPort: 30000, toPort: 30100, group: 'nodes11' },
      { direction: 'out', protocol: 'ANY', cidr: '10.0.0.0/8' },
    ];
    await groups.create({ name: 'fw1', zone: 'east-11', description: 'd' }, never);
    await applied('fw1');
    await groups.authorize('fw1', rules, never);
    const { rules: seen } = await applied('fw1');
    expect(seen).to.have.length(3);
    for (const rule of rules) expect(seen.some((one) => isSameRule(one, rule))).to.equal(true);
    await groups.revoke('fw1', seen, never);
    expect((await applied('fw1')).rules).to.deep.equal([]);
    expect(isNotFound(await failure(groups.revoke('fw1', seen, never)), 'SecurityGroupIngress')).to.equal(true);
    await groups.update('fw1', { newName: 'fw2', description: 'e' }, never);
    await applied('fw2');
    await groups.registerServers('fw2', ['node01'], never);
    await applied('fw2');
    expect((await groups.list(never)).find(({ name }) => name === 'fw2')?.serverNames).to.deep.equal(['node01']);
    expect(isInUse(await failure(groups.delete('fw2', never)))).to.equal(true);
    await groups.deregisterServers('fw2', ['node01'], never);
    await applied('fw2');
    await groups.delete('fw2', never);
    await groups.until('fw2', (one) => (one === undefined ? true : undefined), never);
  });

  it('route tables, routers and private LANs', async () => {
    const tables = cloud.routeTables;
    const [router] = await cloud.networks.routers(never);
    expect(router).to.deep.include({
      name: 'router1',
      zone: 'east-11',
      state: 'available',
      interfaces: [{ networkId: 'net-0abc1def', networkName: 'lan1', address: '192.168.0.1' }],
    });
    expect((await cloud.networks.privateLans(never)).map(({ id, cidr }) => [id, cidr])).to.deep.equal([
      ['net-0abc1def', '192.168.0.0/24'],
    ]);
    const untilIdle = async (): Promise<void> => {
      while ((await cloud.networks.routers(never))[0]!.state !== 'available');
    };

    const { id } = await tables.create(never);
    const other = await tables.create(never);
    await tables.createRoute(id, '10.244.1.0/24', { address: '192.168.0.11' }, never);
    await tables.replaceRoute(id, '10.244.1.0/24', { address: '192.168.0.12' }, never);
    await tables.createRoute(id, '0.0.0.0/0', { networkId: 'net-COMMON_GLOBAL' }, never);
    const keep = { dropBackup: false };
    const { associationId } = await tables.associate(id, router!.id, keep, never);
    await untilIdle();
    const table = (await tables.list(never)).find((one) => one.id === id)!;
    expect(table.routes.map(({ destination, address, networkId }) => [destination, address, networkId])).to.deep.equal([
      ['10.244.1.0/24', '192.168.0.12', ''],
      ['0.0.0.0/0', '', 'net-COMMON_GLOBAL'],
    ]);
    expect(table.routers.map(({ routerId }) => routerId)).to.deep.equal([router!.id]);
    expect(isInUse(await failure(tables.delete(id, never)), 'RouteTable')).to.equal(true);

    const replaced = await tables.replaceAssociation(associationId, other.id, keep, never);
    await untilIdle();
    await tables.deleteRoute(id, '10.244.1.0/24', never);
    await tables.delete(id, never);
    await tables.disassociate(replaced.associationId, keep, never);
    await untilIdle();
    await tables.delete(other.id, never);
    expect(await tables.list(never)).to.deep.equal([]);
  });

  it('regions and zones', async () => {
    const regions = await cloud.regions.list(never);
    expect(regions.find(({ name }) => name === 'east-1')?.endpoint).to.contain('jp-east-1');
    expect((await cloud.regions.zones(never)).map(({ name }) => name)).to.deep.equal(['east-11', 'east-12']);
  });
});
