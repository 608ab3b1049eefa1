import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  descriptionOf,
  disksNamed,
  findDisk,
  persistentVolumeNameOf,
  volumeIdOf,
} from '../../../../csi/disks/identity.ts';
import { FastClock, ModelCloud } from './model-cloud.ts';

const NAME = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';

describe('the identity of a disk', () => {
  it('is the UUID of a provisioned name, from which the PersistentVolume is found again', () => {
    expect(volumeIdOf(NAME)).to.equal('0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5');
    expect(persistentVolumeNameOf(volumeIdOf(NAME))).to.equal(NAME);
    expect(persistentVolumeNameOf('ab12cd34')).to.equal(undefined);
  });

  it('is a legal VolumeId for any name, and another one for another name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(volumeIdOf(a)).to.match(/^[0-9a-z]{32}$/);
        expect(volumeIdOf(a) === volumeIdOf(b)).to.equal(a === b);
      }),
    );
  });

  it('has a Description of at most 40 characters, of which none is cut in two', () => {
    expect(descriptionOf(NAME)).to.equal(NAME);
    expect(Array.from(descriptionOf('𠮷'.repeat(50)))).to.deep.equal(Array.from({ length: 40 }, () => '𠮷'));
  });

  it('is not taken from a Description into which the name does not fit', () => {
    const cloud = new ModelCloud(new FastClock());
    const long = 'x'.repeat(41);
    cloud.addVolume('other', { description: descriptionOf(long) });
    expect(disksNamed(long, cloud.settledState())).to.deep.equal([]);
    expect(disksNamed(long.slice(1), cloud.settledState()).length).to.equal(1);
  });

  it('is the oldest of several; a date that cannot be read is the youngest', () => {
    const cloud = new ModelCloud(new FastClock());
    cloud.addVolume('c', { description: NAME, createdAt: '' });
    cloud.addVolume('b', { description: NAME, createdAt: '2025-01-02T12:04:05.000+09:00' });
    cloud.addVolume('a', { description: NAME, createdAt: '2025-01-02T03:04:04.000Z' });
    expect(disksNamed(NAME, cloud.settledState()).map(({ id }) => id)).to.deep.equal(['a', 'b', 'c']);
  });

  it('is the unique id where it is known, the name otherwise', () => {
    const cloud = new ModelCloud(new FastClock());
    const { uniqueId } = cloud.addVolume('renamed');
    cloud.addVolume('name');
    const volumes = cloud.settledState();
    expect(findDisk(volumes, 'name', undefined)?.id).to.equal('name');
    expect(findDisk(volumes, 'name', uniqueId)?.id).to.equal('renamed');
    expect(findDisk(volumes, 'gone', 'vol-gone')).to.equal(undefined);
    expect(() => findDisk(volumes, 'name', 'vol-gone')).to.throw('another one');
  });
});
