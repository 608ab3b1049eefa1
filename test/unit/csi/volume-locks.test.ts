import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { VolumeLocks } from '../../../csi/volume-locks.ts';

describe('VolumeLocks', () => {
  it('refuses a second caller for a volume with ABORTED, and lets other volumes be', async () => {
    const locks = new VolumeLocks();
    const work = Promise.withResolvers<string>();
    const first = locks.hold('a', () => work.promise);
    const second: unknown = await locks.hold('a', async () => 'second').catch((error: unknown) => error);
    expect(second).to.have.property('code', status.ABORTED);
    expect(await locks.hold('b', async () => 'other')).to.equal('other');
    work.resolve('done');
    expect(await first).to.equal('done');
  });

  it('is free again after success and after failure', async () => {
    const locks = new VolumeLocks();
    await locks.hold('a', async () => undefined);
    await locks.hold('a', () => Promise.reject(new Error('failed'))).catch(() => undefined);
    expect(await locks.hold('a', async () => 'again')).to.equal('again');
  });
});
