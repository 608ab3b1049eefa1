import { expect } from 'chai';
import { isSameServer, isSettled, serverOf } from '../../../../csi/disks/state.ts';
import { FastClock, ModelCloud } from './model-cloud.ts';

const attached = { serverName: 'node01', serverUniqueId: 'i-1', device: 'SCSI (0:1)', status: 'attached' };

describe('the state of a disk', () => {
  const cloud = new ModelCloud(new FastClock());

  for (const [status, attachments, settled] of [
    ['available', [], true],
    ['available', [{ ...attached, status: 'detached' }], true],
    ['in-use', [attached], true],
    ['in-use', [{ ...attached, status: 'detached' }, attached], true],
    ['creating', [], false],
    ['creating', [attached], false],
    ['in-use', [], false],
    ['in-use', [{ ...attached, status: 'attaching' }], false],
    ['in-use', [{ ...attached, status: 'detaching' }], false],
    ['in-use', [{ ...attached, status: 'unheard-of' }], false],
    ['in-use', [{ ...attached, serverName: '' }], false],
    ['configuring', [attached], false],
    ['available', [attached], false],
    ['', [], false],
  ] as const) {
    const shown = attachments.map((one) => one.status).join(', ') || 'not attached';
    it(`${JSON.stringify(status)}, ${shown}: ${settled ? 'settled' : 'in transition'}`, () => {
      expect(isSettled(cloud.addVolume('volume', { status, attachments }))).to.equal(settled);
    });
  }

  it('has the server of the attachment that counts', () => {
    const attachments = [{ ...attached, serverName: 'former', status: 'detached' }, attached];
    expect(serverOf(cloud.addVolume('volume', { attachments }))).to.deep.equal({ name: 'node01', uniqueId: 'i-1' });
    expect(serverOf(cloud.addVolume('volume'))).to.equal(undefined);
  });

  it('compares servers by unique id, by name only where one has none', () => {
    const server = { name: 'node01', uniqueId: 'i-1' };
    expect(isSameServer(server, { name: 'renamed', uniqueId: 'i-1' })).to.equal(true);
    expect(isSameServer(server, { name: 'node01', uniqueId: 'i-2' })).to.equal(false);
    expect(isSameServer(server, { name: 'node01', uniqueId: '' })).to.equal(true);
    expect(isSameServer(server, undefined)).to.equal(false);
    expect(isSameServer(undefined, undefined)).to.equal(false);
  });
});
