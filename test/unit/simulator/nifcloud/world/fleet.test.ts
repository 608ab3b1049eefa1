import { expect } from 'chai';
import { UsageError } from '../../../../../daemon/flags.ts';
import { defaultFleet, parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';

const server = (fields: string): string => `{ zones: [east-11], servers: [{ name: a, zone: east-11, ${fields} }] }`;

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

  for (const [name, text, place, allowed] of [
    ['what is no YAML', '{', 'fleet.yaml: ', ''],
    ['a list', '[]', 'fleet.yaml: ', 'a mapping with the keys region, zones, groups, servers'],
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
  ] as const) {
    it(`is refused with ${name}, naming the place and what is allowed`, () => {
      for (const expected of [place, allowed, /^fleet\.yaml: [^\n]*$/]) {
        expect(() => parseFleet(text, 'fleet.yaml')).to.throw(UsageError, expected);
      }
    });
  }
});
