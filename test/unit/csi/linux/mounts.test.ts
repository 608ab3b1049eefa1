import { assert } from 'chai';
import { clearDeadMount } from '../../../../csi/linux/mounts.ts';
import { FakeMachine } from '../node/fake-machine.ts';

describe('clearDeadMount', () => {
  let machine: FakeMachine;
  beforeEach(async () => {
    machine = await FakeMachine.boot();
    for (const id of [40, 41]) await machine.addMountRow(`${id} 1 8:32 / ${machine.home} rw - ext4 /dev/sdb rw`);
  });
  afterEach(() => machine.stop());

  const clear = (path: string, code?: string): Promise<void> => {
    const host = { root: machine.root, clock: machine, logger: machine.logger };
    return clearDeadMount(host, path, () =>
      code === undefined ? Promise.resolve() : Promise.reject(Object.assign(new Error(code), { code })),
    );
  };

  for (const code of ['EIO', 'ENOTCONN', 'ESTALE', 'ENODEV']) {
    it(`takes off every layer of a mount that answers ${code}`, async () => {
      await clear(machine.home, code);
      assert.deepEqual(await machine.mounts(), []);
    });
  }

  it('leaves a mount that works, and one of which nothing is known', async () => {
    await clear(machine.home);
    assert.match(await clear(machine.home, 'ENOMEM').then(String, String), /ENOMEM/);
    assert.lengthOf(await machine.mounts(), 2);
  });

  it('does not look at a path where nothing is mounted', async () => {
    await clear(machine.root, 'EIO');
    assert.deepEqual(await machine.calls('umount'), []);
  });
});
