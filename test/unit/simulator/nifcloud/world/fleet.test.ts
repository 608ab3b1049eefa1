import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { parse } from 'yaml';
import { UsageError } from '../../../../../daemon/flags.ts';
import { defaultFleet, parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import { parseSwitches } from '../../../../../simulator/nifcloud/world/switches.ts';
import { newWorld } from '../../../../../simulator/nifcloud/world/world.ts';

const server = (fields: string): string => `{ zones: [east-11], servers: [{ name: a, zone: east-11, ${fields} }] }`;
const rule = (fields: string): string =>
  `{ zones: [east-11], groups: [{ name: web, zone: east-11, rules: [{ ${fields} }] }] }`;
const disks = (...entries: readonly string[]): string =>
  `{ zones: [east-11, east-12], servers: [{ name: a, zone: east-11 }], disks: [${entries.join(', ')}] }`;
const lan = '{ name: lan1, zone: east-11, cidr: 192.168.1.0/24 }';
const network = (fields: string): string => `{ zones: [east-11, east-12], networks: [${lan}], ${fields} }`;
const l4 = (fields: string, port = 'port: 80'): string =>
  `{ zones: [east-11], servers: [{ name: a, zone: east-11 }], l4LoadBalancers: [{ name: web, ports: [{ ${port} }], ${fields} }] }`;
const elastic = (fields: string, listener = 'port: 80'): string =>
  network(`elasticLoadBalancers: [{ name: web, zone: east-11, listeners: [{ ${listener} }], ${fields} }]`);

/** Everything that a file can hold, with each thing referring to another. */
const COMPLETE = `
zones: [east-11, east-12]
networks: [{ id: net-0abc1def, name: lan1, zone: east-11, cidr: 192.168.1.0/24 }]
routeTables:
  - id: rtb-0abc1def
    routes:
      - { destination: 10.0.0.0/24, ipAddress: 192.168.1.10 }
      - { destination: 10.0.1.0/24, network: lan1 }
routers: [{ name: gateway, zone: east-11, interfaces: [{ network: lan1, ipAddress: 192.168.1.1 }], routeTable: rtb-0abc1def }]
certificates: [cert-1]
groups:
  - { name: web, zone: east-11, rules: [{ protocol: TCP, fromPort: 80, cidr: 0.0.0.0/0 }, { protocol: ANY, group: web }] }
servers:
  - { name: a, uniqueId: i-0000000a, zone: east-11, privateNetwork: lan1, firewallGroup: web, description: the first }
  - { name: b, uniqueId: i-0000000b, zone: east-12 }
disks:
  - { id: d1, sizeGB: 300, type: high-speed-flash-a, attachedTo: a, slot: 1, accounting: monthly }
  - { id: d2, attachedTo: a }
  - { id: d3, type: Flash Storage, zone: east-12, description: pvc-1 }
l4LoadBalancers:
  - name: front
    vip: 203.0.113.1
    ports:
      - port: 443
        instancePort: 30443
        balancing: least-connection
        healthCheck: { target: 'TCP:30443', intervalSeconds: 10, unhealthyThreshold: 2 }
        filter: { type: deny, addresses: [198.51.100.0/24] }
        stickiness: { periodMinutes: 5 }
        sorryPage: { statusCode: 200 }
        sslCertificate: cert-1
        targets: [a, b]
  - { name: other, ports: [{ port: 80 }] }
elasticLoadBalancers:
  - name: inner
    uniqueId: elb-0abc1def
    zone: east-11
    routeTable: rtb-0abc1def
    interfaces:
      - { network: lan1, ipAddress: 192.168.1.20, systemIpAddresses: [192.168.1.21, 192.168.1.22], vip: true }
      - { network: net-COMMON_PRIVATE }
    listeners:
      - protocol: HTTP
        port: 80
        instancePort: 30080
        description: web
        healthCheck: { target: 'HTTP:30080', path: /healthz, httpCodes: [2xx] }
        stickiness: { method: cookie, periodMinutes: 60 }
        sorryPage: { redirectUrl: 'https://example.com/' }
        targets: [a]
  - { name: plain, zone: east-12, listeners: [{ protocol: UDP, port: 53 }] }
`;

describe('the fleet file', () => {
  it('by default is one running server in each of three zones', () => {
    const fleet = defaultFleet();
    expect(fleet.region).to.equal('jp-east-1');
    expect(
      fleet.servers.map(({ name, zone, privateAddress, state }) => [name, zone, privateAddress, state]),
    ).to.deep.equal([
      ['node01', 'east-11', '127.11.0.1', 'running'],
      ['node02', 'east-12', '127.12.0.1', 'running'],
      ['node03', 'east-13', '127.13.0.1', 'running'],
    ]);
    for (const { uniqueId } of fleet.servers) expect(uniqueId).to.match(/^i-[0-9a-z]{8}$/);
  });

  it('gives a server without a unique id the same one each time', () => {
    const [first, second] = [1, 2].map(() => parseFleet(server('type: mini'), 'f').servers[0]?.uniqueId);
    expect(first).to.equal(second);
  });

  it('reads all that a region holds', () => {
    const fleet = parseFleet(COMPLETE, 'f');
    expect(fleet.networks.map(({ id, name, cidr }) => [id, name, cidr])).to.deep.equal([
      ['net-0abc1def', 'lan1', '192.168.1.0/24'],
    ]);
    expect(fleet.routeTables[0]?.routes.map(({ ipAddress, networkId }) => [ipAddress, networkId])).to.deep.equal([
      ['192.168.1.10', ''],
      ['', 'net-0abc1def'],
    ]);
    expect(fleet.routers[0]).to.include({ name: 'gateway', routeTableId: 'rtb-0abc1def' });
    expect(fleet.routers[0]?.routeTableAssociationId).to.match(/^rtbassoc-/);
    expect(fleet.groups[0]?.rules.map(({ fromPort, toPort, cidr, group }) => [fromPort, toPort, cidr, group]))
      .to.deep //
      .equal([
        [80, 80, '0.0.0.0/0', ''],
        [0, 0, '', 'web'],
      ]);
    expect(fleet.servers.map((one) => [one.privateNetworkId, one.description])).to.deep.equal([
      ['net-0abc1def', 'the first'],
      ['net-COMMON_PRIVATE', ''],
    ]);
    expect(
      fleet.disks.map((disk) => [disk.id, disk.sizeGB, disk.diskType, disk.zone, disk.attachment?.slot]),
    ).to.deep.equal([
      ['d1', 300, 'High-Speed Flash Storage A', 'east-11', 1],
      ['d2', 100, 'Standard Flash Storage A', 'east-11', 2],
      ['d3', 100, 'Flash Storage', 'east-12', undefined],
    ]);
    expect(fleet.disks[0]?.attachment?.serverUniqueId).to.equal('i-0000000a');
    expect(fleet.l4LoadBalancers[0]?.ports[0]).to.deep.include({
      protocol: 'TCP',
      loadBalancerPort: 443,
      instancePort: 30443,
      balancingType: 2,
      healthCheck: { target: 'TCP:30443', intervalSeconds: 10, unhealthyThreshold: 2, path: '', httpCodes: [] },
      filter: { type: 'deny', addresses: ['198.51.100.0/24'], emptied: false },
      stickiness: { enabled: true, method: 1, periodMinutes: 5 },
      sorryPage: { enabled: true, statusCode: 200, redirectUrl: '' },
      sslCertificateId: 'cert-1',
      targets: [
        { serverUniqueId: 'i-0000000a', state: 'OutOfService' },
        { serverUniqueId: 'i-0000000b', state: 'OutOfService' },
      ],
    });
    const [inner] = fleet.elasticLoadBalancers;
    expect(inner).to.include({ uniqueId: 'elb-0abc1def', vip: '192.168.1.20', routeTableId: 'rtb-0abc1def' });
    expect(inner?.listeners[0]).to.deep.include({
      protocol: 'HTTP',
      description: 'web',
      healthCheck: {
        target: 'HTTP:30080',
        intervalSeconds: 5,
        unhealthyThreshold: 1,
        path: '/healthz',
        httpCodes: ['2xx'],
      },
      stickiness: { enabled: true, method: 2, periodMinutes: 60 },
      sorryPage: { enabled: true, statusCode: 0, redirectUrl: 'https://example.com/' },
    });
  });

  it('reads the same from JSON as from YAML', () => {
    expect(parseFleet(JSON.stringify(parse(COMPLETE)), 'f')).to.deep.equal(parseFleet(COMPLETE, 'f'));
  });

  it('becomes a world in which every load balancer has an address that no other has', () => {
    const world = newWorld(parseFleet(COMPLETE.replace('203.0.113.1', '127.100.0.2'), 'f'), {
      firstVip: '127.100.0.1',
      switches: parseSwitches(''),
      nowMs: 1_000,
    });
    const vip = (name: string): string | undefined =>
      (world.loadBalancers.get(name) ?? world.elasticLoadBalancers.get(name))?.vip;
    expect(['front', 'other', 'inner'].map(vip)).to.deep.equal(['127.100.0.2', '127.100.0.1', '192.168.1.20']);
    const interfaces = [...world.elasticLoadBalancers.values()].flatMap((one) => one.interfaces);
    const addresses = interfaces.flatMap((one) => [one.ipAddress, ...one.systemIpAddresses]);
    expect(addresses.concat(vip('front') ?? '', vip('other') ?? '')).to.have.length(11);
    expect(new Set(addresses.concat(vip('front') ?? '', vip('other') ?? '')).size).to.equal(11);
    expect(vip('plain'), 'of its interface').to.equal(interfaces.at(-1)?.ipAddress);
    expect(world.volumes.get('d1')).to.include({ createdAtMs: 1_000 });
    expect(world.volumes.get('d1')?.attachment).to.include({ attachedAtMs: 1_000 });
    expect(world.firewallGroups.get('web')?.rules[0]).to.include({ addedAtMs: 1_000 });
  });

  it('is as the README says', async () => {
    const readme = await readFile(new URL('../../../../../simulator/README.md', import.meta.url), 'utf8');
    const [, example = ''] = /## Fleet file.*?```yaml\n(.*?)```/s.exec(readme) ?? [];
    const { servers, disks: listed, l4LoadBalancers, elasticLoadBalancers } = parseFleet(example, 'README.md');
    for (const list of [servers, listed, l4LoadBalancers, elasticLoadBalancers]) expect(list).to.have.length(1);
  });

  it('may hold more load balancers than calls could make', () => {
    const many = Array.from({ length: 100 }, (_, at) => `{ name: l${at}, ports: [{ port: 80 }] }`);
    const text = `{ zones: [east-11], l4LoadBalancers: [${many.join(', ')}] }`;
    expect(parseFleet(text, 'f').l4LoadBalancers).to.have.length(100);
  });

  for (const [name, text, place, allowed] of [
    ['what is no YAML', '{', 'fleet.yaml: ', ''],
    ['a list', '[]', 'fleet.yaml: ', 'a mapping with the keys region, zones, networks'],
    ['an unknown key', '{ zones: [east-11], nodes: [] }', 'nodes', 'one of the keys'],
    ['an unknown region', '{ region: mars, zones: [] }', 'region: mars', 'jp-east-1, jp-east-2'],
    ['no zones', '{}', 'zones', 'at least one of east-11'],
    ['a zone of another region', '{ zones: [west-11] }', 'zones: west-11', 'east-11, east-12, east-13, east-14'],
    ['a zone twice', '{ zones: [east-11, east-11] }', 'zones: east-11', 'only once'],
    ['a server without a name', '{ zones: [east-11], servers: [{ zone: east-11 }] }', 'servers[0].name', 'a text'],
    [
      'a server name with a hyphen',
      '{ zones: [east-11], servers: [{ name: node-1, zone: east-11 }] }',
      'servers[0].name: node-1',
      '15 letters',
    ],
    [
      'a server in another zone',
      '{ zones: [east-11], servers: [{ name: a, zone: east-12 }] }',
      'servers[0].zone: east-12',
      'east-11',
    ],
    ['a wrong unique id', server('uniqueId: i-1'), 'servers[0].uniqueId: i-1', 'i- and 8'],
    ['an unknown state', server('state: asleep'), 'servers[0].state: asleep', 'running, stopped, pending'],
    ['a wrong address', server('privateAddress: node'), 'servers[0].privateAddress: node', 'an IPv4 address'],
    ['an unknown group', server('firewallGroup: web'), 'servers[0].firewallGroup: web', ''],
    ['a key of a server that does not exist', server('color: red'), 'servers[0].color', 'privateAddress'],
    [
      'two servers of one name',
      '{ zones: [east-11], servers: [{ name: a, zone: east-11 }, { name: a, zone: east-11 }] }',
      'servers: a',
      'each name only once',
    ],
    ['an unknown network of a server', server('privateNetwork: lan9'), 'servers[0].privateNetwork: lan9', 'net-COMMON'],
    ['a global network of a server', server('privateNetwork: net-COMMON_GLOBAL'), 'servers[0].privateNetwork', 'LAN'],
    ['an unknown accounting', server('accounting: yearly'), 'servers[0].accounting: yearly', 'monthly, hourly'],
    [
      'a network without a range',
      '{ zones: [east-11], networks: [{ name: x, zone: east-11, cidr: 10.0.0.1 }] }',
      'networks[0].cidr: 10.0.0.1',
      'an IPv4 range',
    ],
    [
      'a server in a network of another zone',
      network('servers: [{ name: a, zone: east-12, privateNetwork: lan1 }]'),
      'servers[0].privateNetwork: lan1 in east-11',
      'private LANs of east-12',
    ],
    ['a network twice', `{ zones: [east-11], networks: [${lan}, ${lan}] }`, 'networks: lan1', 'each name only once'],
    ['a route table without an id', network('routeTables: [{ routes: [] }]'), 'routeTables[0].id', 'a text'],
    [
      'a route with two targets',
      network(
        'routeTables: [{ id: rtb-0abc1def, routes: [{ destination: 10.0.0.0/8, ipAddress: 10.0.0.1, network: lan1 }] }]',
      ),
      'routeTables[0].routes[0].network',
      'exactly one of',
    ],
    [
      'a destination twice',
      network(
        'routeTables: [{ id: rtb-0abc1def, routes: [{ destination: 10.0.0.0/8, network: lan1 }, { destination: 10.0.0.0/8, ipAddress: 10.0.0.1 }] }]',
      ),
      'routeTables[0].routes: 10.0.0.0/8',
      'each destination only once',
    ],
    [
      'a router with an unknown route table',
      network('routers: [{ name: r, zone: east-11, routeTable: rtb-0abc1def }]'),
      'routers[0].routeTable: rtb-0abc1def',
      'nothing',
    ],
    ['a certificate twice', '{ zones: [east-11], certificates: [c, c] }', 'certificates: c', 'only once'],
    ['an unknown protocol of a rule', rule('protocol: SCTP, cidr: 10.0.0.0/8'), 'rules[0].protocol: SCTP', 'TCP, UDP'],
    ['a rule without a peer', rule('protocol: ICMP'), 'groups[0].rules[0].group', 'exactly one of'],
    ['a rule with an unknown group', rule('protocol: ICMP, group: nil'), 'groups[0].rules[0].group: nil', 'web'],
    ['a wrong peer of a rule', rule('protocol: ICMP, cidr: 10.0.0.0/33'), 'rules[0].cidr: 10.0.0.0/33', 'CIDRs'],
    ['a TCP rule without a port', rule('protocol: TCP, cidr: 10.0.0.0/8'), 'rules[0].fromPort: missing', '1 to 65535'],
    [
      'ports in the wrong order',
      rule('protocol: TCP, fromPort: 90, toPort: 80, cidr: 10.0.0.0/8'),
      'groups[0].rules[0].toPort: 80',
      'from 90 to 65535',
    ],
    ['a port of ICMP', rule('protocol: ICMP, fromPort: 1, cidr: 10.0.0.0/8'), 'rules[0].fromPort', 'TCP and UDP only'],
    ['a disk without an id', disks('{ zone: east-11 }'), 'disks[0].id: missing', 'a text'],
    ['a disk without a zone', disks('{ id: d }'), 'disks[0].zone: missing', 'a text'],
    [
      'a disk of an odd size',
      disks('{ id: d, zone: east-11, sizeGB: 150 }'),
      'disks[0].sizeGB: 150',
      'multiple of 100',
    ],
    [
      'a disk of an unknown type',
      disks('{ id: d, zone: east-11, type: tape }'),
      'disks[0].type: tape',
      'standard-flash-a',
    ],
    ['a disk on an unknown server', disks('{ id: d, attachedTo: z }'), 'disks[0].attachedTo: z', 'allowed: a'],
    ['a disk in another zone', disks('{ id: d, attachedTo: a, zone: east-12 }'), 'disks[0].zone: east-12', 'server a'],
    ['a slot without a server', disks('{ id: d, zone: east-11, slot: 1 }'), 'disks[0].slot', 'attachedTo'],
    [
      'the slot of the controller',
      disks('{ id: d, attachedTo: a, slot: 7 }'),
      'disks[0].slot: 7',
      '1, 2, 3, 4, 5, 6, 8',
    ],
    [
      'a slot that is taken',
      disks('{ id: d, attachedTo: a }', '{ id: e, attachedTo: a, slot: 1 }'),
      'disks[1].slot: 1',
      'those free on a: 2, 3',
    ],
    [
      'more disks than slots',
      disks(...Array.from({ length: 15 }, (_, at) => `{ id: d${at}, attachedTo: a }`)),
      'disks[14].attachedTo: a',
      'a server with a free slot',
    ],
    [
      'a long description',
      disks(`{ id: d, zone: east-11, description: ${'x'.repeat(41)} }`),
      'description',
      'at most 40',
    ],
    ['a disk twice', disks('{ id: d, zone: east-11 }', '{ id: d, zone: east-12 }'), 'disks: d', 'each id only once'],
    [
      'a load balancer without ports',
      '{ zones: [east-11], l4LoadBalancers: [{ name: w }] }',
      'ports: []',
      'at least one',
    ],
    ['a wrong VIP', l4('vip: web'), 'l4LoadBalancers[0].vip: web', 'an IPv4 address'],
    ['a wrong bandwidth', l4('networkVolumeMbps: 15'), 'networkVolumeMbps: 15', 'a multiple of 10 from 10 to 2000'],
    ['a wrong policy', l4('policyType: tls'), 'policyType: tls', 'standard, ats'],
    ['an unknown zone of a load balancer', l4('zones: [east-12]'), 'l4LoadBalancers[0].zones: east-12', 'east-11'],
    ['a port twice', l4('', 'port: 80 }, { port: 80'), 'l4LoadBalancers[0].ports: 80', 'each port only once'],
    ['a wrong port', l4('', 'port: 0'), 'l4LoadBalancers[0].ports[0].port: 0', '1 to 65535'],
    ['a protocol of an L4 port', l4('', 'port: 80, protocol: UDP'), 'ports[0].protocol', 'one of the keys'],
    ['an unknown target', l4('', 'port: 80, targets: [z]'), 'ports[0].targets: z', 'allowed: a'],
    ['a target twice', l4('', 'port: 80, targets: [a, a]'), 'ports[0].targets: a', 'each name only once'],
    ['a wrong balancing', l4('', 'port: 80, balancing: random'), 'balancing: random', 'round-robin, least-connection'],
    [
      'a check of HTTP on an L4 port',
      l4('', "port: 80, healthCheck: { target: 'HTTP:80' }"),
      'ports[0].healthCheck.target: HTTP:80',
      'ICMP, TCP:<port>',
    ],
    [
      'a check of no port',
      l4('', "port: 80, healthCheck: { target: 'TCP:99999' }"),
      'healthCheck.target: TCP:99999',
      'a port up to 65535',
    ],
    [
      'a check that is too frequent',
      l4('', 'port: 80, healthCheck: { intervalSeconds: 1 }'),
      'healthCheck.intervalSeconds: 1',
      'from 5 to 300',
    ],
    ['a wrong filter', l4('', 'port: 80, filter: { addresses: [everyone] }'), 'filter.addresses: everyone', 'CIDRs'],
    ['a short stickiness', l4('', 'port: 80, stickiness: { periodMinutes: 1 }'), 'periodMinutes: 1', 'from 3 to 60'],
    ['a cookie of L4', l4('', 'port: 80, stickiness: { method: cookie }'), 'stickiness.method', 'one of the keys'],
    ['a wrong sorry page', l4('', 'port: 80, sorryPage: { statusCode: 404 }'), 'sorryPage.statusCode: 404', '200, 503'],
    ['an unknown certificate', l4('', 'port: 80, sslCertificate: c'), 'ports[0].sslCertificate: c', 'nothing'],
    [
      'a wrong id of an elastic one',
      elastic('uniqueId: elb-1'),
      'elasticLoadBalancers[0].uniqueId: elb-1',
      'elb- and 8',
    ],
    ['a filter of an elastic one', elastic('', 'port: 80, filter: {}'), 'listeners[0].filter', 'one of the keys'],
    [
      'an unknown protocol of an elastic one',
      elastic('', 'port: 80, protocol: SCTP'),
      'protocol: SCTP',
      'TCP, UDP, HTTP',
    ],
    [
      'a path of a TCP check',
      elastic('', "port: 80, healthCheck: { target: 'TCP:80', path: / }"),
      'listeners[0].healthCheck.path',
      'HTTP and HTTPS only',
    ],
    [
      'wrong codes of a check',
      elastic('', "port: 80, healthCheck: { target: 'HTTP:80', httpCodes: ['200'] }"),
      'healthCheck.httpCodes: 200',
      '1xx, 2xx',
    ],
    [
      'a listener twice',
      elastic('', 'port: 80 }, { port: 80'),
      'elasticLoadBalancers[0].listeners: TCP 80',
      'each protocol and port only once',
    ],
    [
      'two interfaces without a VIP',
      elastic('interfaces: [{ network: net-COMMON_GLOBAL }, { network: net-COMMON_PRIVATE }]'),
      'elasticLoadBalancers[0].interfaces',
      'exactly one of them with vip: true',
    ],
    [
      'an interface in a private LAN without addresses',
      elastic('interfaces: [{ network: lan1 }]'),
      'interfaces[0].systemIpAddresses',
      'exactly two',
    ],
    [
      'a system address that is none',
      elastic('interfaces: [{ network: net-COMMON_GLOBAL, systemIpAddresses: [x, y] }]'),
      'interfaces[0].systemIpAddresses: x',
      'IPv4 addresses',
    ],
    [
      'a VIP twice',
      l4('vip: 203.0.113.1 }, { name: second, ports: [{ port: 80 }], vip: 203.0.113.1'),
      ': 203.0.113.1',
      'each VIP of a load balancer only once',
    ],
  ] as const) {
    it(`is refused with ${name}, naming the place and what is allowed`, () => {
      for (const expected of [place, allowed, /^fleet\.yaml: [^\n]*$/]) {
        expect(() => parseFleet(text, 'fleet.yaml')).to.throw(UsageError, expected);
      }
    });
  }
});
