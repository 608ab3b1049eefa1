import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { expect } from 'chai';
import { selfSignedCertificate } from '../../../../../daemon/certificate.ts';
import type { FirewallRule } from '../../../../../simulator/nifcloud/world/firewall-groups.ts';
import type { Listener } from '../../../../../simulator/nifcloud/world/listeners.ts';
import { until } from '../raw-client.ts';
import { aRule, listenOnNodes, Rig, serverOf, VIP } from './rig.ts';

const check = (target: string, more: Partial<Listener['healthCheck']> = {}): Listener['healthCheck'] => ({
  target,
  intervalSeconds: 5,
  unhealthyThreshold: 1,
  path: '',
  httpCodes: [],
  ...more,
});

const icmp = (cidr: string): FirewallRule => aRule({ protocol: 'ICMP', fromPort: 0, toPort: 0, cidr });

describe('health checks', () => {
  let rig: Rig;
  let service: Server | undefined;
  /** The status of the service's answers; undefined = it answers nothing. */
  let status: number | undefined;
  let path: string | undefined;

  beforeEach(() => {
    rig = new Rig();
    service = undefined;
    status = 200;
    path = undefined;
  });
  afterEach(async () => {
    await rig.plane.stop();
    expect(rig.clock.sleeping).to.equal(0);
    service?.closeAllConnections();
    if (service !== undefined) await new Promise((resolve) => service?.close(resolve));
  });

  async function start(protocol: 'HTTP' | 'HTTPS'): Promise<number> {
    const certificate = protocol === 'HTTPS' ? await selfSignedCertificate(['elsewhere'], 0) : undefined;
    service = certificate === undefined ? createServer() : createTlsServer(certificate);
    service.on('request', (request, response) => {
      path = request.url;
      if (status !== undefined) response.writeHead(status, { location: '/elsewhere' }).end();
    });
    return listenOnNodes({ a: service });
  }

  /** A round has ended when it sleeps until the next. */
  const round = (): Promise<boolean> => until(() => rig.clock.sleeping === 1);

  for (const [protocol, answer, httpCodes, expected] of [
    ['HTTP', 200, [], 'InService'],
    ['HTTP', 204, [], 'InService'],
    ['HTTP', 302, [], 'OutOfService'],
    ['HTTP', 404, [], 'OutOfService'],
    ['HTTP', 503, [], 'OutOfService'],
    ['HTTP', 404, ['2xx', '4xx'], 'InService'],
    ['HTTP', 200, ['4xx'], 'OutOfService'],
    ['HTTP', 302, ['3xx'], 'InService'],
    ['HTTPS', 200, [], 'InService'],
    ['HTTPS', 500, [], 'OutOfService'],
  ] as const) {
    it(`takes ${answer} by ${protocol} for ${expected}, expecting ${httpCodes.join(', ') || 'nothing special'}`, async () => {
      const port = await start(protocol);
      status = answer;
      const listener = await rig.serve({ healthCheck: check(`${protocol}:${port}`, { httpCodes }) }, ['a']);
      await round();
      expect(rig.states(listener)).to.deep.equal({ a: expected });
      expect(path).to.equal('/');
    });
  }

  it('asks for the path that is set', async () => {
    const port = await start('HTTP');
    await rig.serve({ healthCheck: check(`HTTP:${port}`, { path: '/healthz?full=1' }) }, ['a']);
    await round();
    expect(path).to.equal('/healthz?full=1');
  });

  it('takes a service that answers nothing for out of service', async () => {
    const port = await start('HTTP');
    status = undefined;
    // An interval of 1 ms is less than a probe has at least: this waits for that second.
    const listener = await rig.serve({ healthCheck: check(`HTTP:${port}`, { intervalSeconds: 0.001 }) }, ['a']);
    listener.targets[0]!.state = 'InService';
    await round();
    expect(rig.states(listener)).to.deep.equal({ a: 'OutOfService' });
  });

  it('takes the targets of a server that stops out of service at once, and back after the next check', async () => {
    const listener = await rig.serve({}, ['a', 'b']);
    expect(rig.states(listener)).to.deep.equal({ a: 'InService', b: 'InService' });
    serverOf(rig.world, 'a').state = 'pending';
    await rig.follow();
    expect(rig.states(listener)).to.deep.equal({ a: 'OutOfService', b: 'InService' });
    serverOf(rig.world, 'a').state = 'warning';
    await rig.clock.advance(5000);
    expect(rig.states(listener)).to.deep.equal({ a: 'InService', b: 'InService' });
  });

  it('does not find a server healthy that stopped during the check', async () => {
    const port = await start('HTTP');
    const listener = await rig.serve({ healthCheck: check(`HTTP:${port}`) }, ['a']);
    serverOf(rig.world, 'a').state = 'stopped';
    await round();
    expect(rig.states(listener)).to.deep.equal({ a: 'OutOfService' });
  });

  it('goes on when a server vanishes', async () => {
    const listener = await rig.serve({}, ['a', 'b']);
    const { uniqueId } = serverOf(rig.world, 'a');
    rig.world.servers.delete('a');
    rig.world.serversByUniqueId.delete(uniqueId);
    await rig.follow();
    await rig.clock.advance(5000);
    expect(rig.states(listener)).to.deep.equal({ [uniqueId]: 'OutOfService', b: 'InService' });
  });

  const SYSTEM = ['10.1.0.11', '10.1.0.12'];
  const lan = { networkId: 'net-0000000a', networkName: 'lan', systemIpAddresses: SYSTEM };
  const global = { networkId: 'net-COMMON_GLOBAL', networkName: '', ipAddress: '', systemIpAddresses: [] };
  const ONE_ARM = [{ ...lan, ipAddress: VIP, isVip: true }];
  const TWO_ARM = [
    { ...global, isVip: true },
    { ...lan, ipAddress: '10.1.0.10', isVip: false },
  ];
  for (const [name, interfaces, cidrs, expected] of [
    ['one arm, nothing', ONE_ARM, [], 'OutOfService'],
    ['one arm, the VIP', ONE_ARM, [VIP], 'OutOfService'],
    ['one arm, the system addresses', ONE_ARM, SYSTEM, 'OutOfService'],
    ['one arm, the VIP and one system address', ONE_ARM, [VIP, SYSTEM[0]!], 'OutOfService'],
    ['one arm, all of them', ONE_ARM, [VIP, ...SYSTEM], 'InService'],
    ['two arms, the VIP', TWO_ARM, [VIP], 'OutOfService'],
    ['two arms, the address at the servers', TWO_ARM, ['10.1.0.10'], 'OutOfService'],
    ['two arms, the addresses at the servers', TWO_ARM, ['10.1.0.10', ...SYSTEM], 'InService'],
    ['two arms, their network', TWO_ARM, ['10.1.0.0/24'], 'InService'],
  ] as const) {
    it(`of an elastic load balancer need the server's firewall: ${name}`, async () => {
      const group = rig.world.firewallGroups.get('closed')!;
      rig.world.firewallGroups.set('closed', { ...group, rules: cidrs.map(icmp) });
      serverOf(rig.world, 'a').firewallGroup = 'closed';
      const listener = await rig.serve({}, ['a', 'b'], { interfaces });
      expect(rig.states(listener)).to.deep.equal({ a: expected, b: 'InService' });
    });
  }

  it('need the checked port to be open, and notice when it is closed', async () => {
    const port = await start('HTTP');
    const group = { ...rig.world.firewallGroups.get('closed')! };
    rig.world.firewallGroups.set('closed', group);
    serverOf(rig.world, 'a').firewallGroup = 'closed';
    group.rules = [aRule({ fromPort: port, toPort: port })];
    const listener = await rig.serve({ healthCheck: check(`HTTP:${port}`) }, ['a']);
    await round();
    expect(rig.states(listener)).to.deep.equal({ a: 'InService' });
    group.rules = [aRule({ fromPort: port + 1, toPort: port + 1 })];
    await rig.clock.advance(5000);
    expect(rig.states(listener)).to.deep.equal({ a: 'OutOfService' });
  });

  it("of an L4 load balancer get past every server's firewall", async () => {
    serverOf(rig.world, 'a').firewallGroup = 'closed';
    const listener = await rig.serveL4({}, ['a']);
    expect(rig.states(listener)).to.deep.equal({ a: 'InService' });
  });
});
