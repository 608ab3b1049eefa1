import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { requiredZones } from '../../../../csi/controller/topology.ts';
import { RpcError } from '../../../../csi/rpc-error.ts';

const KEY = 'topology.additional-storage.csi.nifcloud.com/zone';

const zone = (name: string): { segments: Record<string, string> } => ({ segments: { [KEY]: name } });
const elsewhere = { segments: { 'topology.kubernetes.io/zone': 'east-13' } };

describe('the zones that a volume is required in', () => {
  for (const [what, requirement, zones] of [
    ['any, where nothing is required', null, []],
    ['any, where the requirement is empty', { requisite: [], preferred: [] }, []],
    [
      'the preferred ones in their order, then the others',
      { requisite: [zone('a'), zone('b')], preferred: [zone('b')] },
      ['b', 'a'],
    ],
    [
      'the requisite ones in their order, where none is preferred',
      { requisite: [zone('c'), zone('a')], preferred: [] },
      ['c', 'a'],
    ],
    ['those of nodes that run this driver', { requisite: [elsewhere, zone('a')], preferred: [elsewhere] }, ['a']],
  ] as const) {
    it(`are ${what}`, () => {
      expect(requiredZones(requirement as unknown as Parameters<typeof requiredZones>[0])).to.deep.equal(zones);
    });
  }

  it('are never guessed where no requirement has our key', () => {
    for (const segments of [elsewhere.segments, {}, { [KEY]: '' }]) {
      expect(() => requiredZones({ requisite: [{ segments }], preferred: [] }))
        .to.throw(RpcError, KEY)
        .with.property('code', status.INVALID_ARGUMENT);
    }
  });
});
