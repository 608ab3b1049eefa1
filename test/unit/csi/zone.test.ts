import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { ZONE_KEY } from '../../../csi/names.ts';
import { zoneFrom, zoneOfNode } from '../../../csi/zone.ts';

describe('the zone of a node', () => {
  it('is told by the first source that knows it, and the others are not asked', async () => {
    const asked: string[] = [];
    const source = (name: string, zone: string | undefined) => ({
      name,
      zone: async () => {
        asked.push(name);
        return zone;
      },
    });
    const zone = zoneFrom([source('a', ''), source('b', undefined), source('c', 'east-11'), source('d', 'east-12')]);
    expect(await zone()).to.equal('east-11');
    expect(asked).to.deep.equal(['a', 'b', 'c']);
  });

  it('is UNAVAILABLE while nobody knows it, saying why, and is asked for again', async () => {
    let answer: string | undefined;
    const zone = zoneFrom([
      {
        name: 'the API',
        zone: () => (answer === undefined ? Promise.reject(new Error('no way')) : Promise.resolve(answer)),
      },
    ]);
    const refusal: unknown = await zone().catch((error: unknown) => error);
    expect(refusal)
      .to.include({ code: status.UNAVAILABLE })
      .and.have.property('message')
      .that.contains('the API: no way');
    answer = 'east-11';
    expect(await zone()).to.equal('east-11');
  });

  it('never changes once it is known', async () => {
    let answer = 'east-11';
    const zone = zoneFrom([{ name: 'labels', zone: async () => answer }]);
    await zone();
    answer = 'east-12';
    expect(await zone()).to.equal('east-11');
  });

  it('is the label that the kubelet keeps, before the one that the cloud-controller-manager sets', () => {
    const labels = { [ZONE_KEY]: 'east-11', 'topology.kubernetes.io/zone': 'east-12' };
    expect(zoneOfNode({ metadata: { labels } })).to.equal('east-11');
    expect(zoneOfNode({ metadata: { labels: { 'topology.kubernetes.io/zone': 'east-12' } } })).to.equal('east-12');
    expect(zoneOfNode({ metadata: {} })).to.equal(undefined);
  });
});
