import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from 'chai';
import { BoundedLooks } from '../../../../csi/linux/bounded-looks.ts';
import { clearDeadMount, readMounts } from '../../../../csi/linux/mounts.ts';
import { FakeMachine } from '../node/fake-machine.ts';
import { failureOf } from '../node/requests.ts';

describe('clearDeadMount', () => {
  let machine: FakeMachine;
  beforeEach(async () => {
    machine = await FakeMachine.boot();
    for (const id of [40, 41]) await machine.addMountRow(`${id} 1 8:32 / ${machine.home} rw - ext4 /dev/sdb rw`);
  });
  afterEach(() => machine.stop());

  const clear = (path = machine.home): Promise<void> => {
    const host = { root: machine.root, clock: machine, logger: machine.logger };
    return clearDeadMount({ host, looks: new BoundedLooks(100) }, path);
  };

  it('takes off every layer of a mount that answers with an error', async () => {
    await writeFile(join(machine.home, 'broken'), machine.home);
    await clear();
    assert.deepEqual(await machine.mounts(), []);
  });

  it('says that it is in the way when it can not be taken off', async () => {
    await writeFile(join(machine.home, 'broken'), machine.home);
    await writeFile(join(machine.home, 'busy'), '');
    assert.match(await failureOf(clear()), /^UNAVAILABLE: .*is dead: .*busy/);
  });

  it('leaves a mount that works', async () => {
    await clear();
    assert.lengthOf(await machine.mounts(), 2);
  });

  it('takes nothing off because the look at it failed: it may work, and be in use', async () => {
    await writeFile(join(machine.home, 'stat-exit'), '127');
    assert.match(await failureOf(clear()), /ToolError: stat .* ended with exit code 127/);
    assert.lengthOf(await machine.mounts(), 2);
  });

  it('neither waits for a mount that does not answer, nor tries to take it off', async () => {
    await writeFile(join(machine.home, 'mute'), machine.home);
    assert.match(await failureOf(clear()), /^UNAVAILABLE: .*does not answer/);
    assert.deepEqual(await machine.calls('umount'), []);
  });

  it('does not look at a path where nothing is mounted', async () => {
    await writeFile(join(machine.home, 'broken'), machine.root);
    await clear(machine.root);
    assert.deepEqual(await machine.calls('stat'), []);
  });
});

describe('readMounts', () => {
  let machine: FakeMachine;
  beforeEach(async () => {
    machine = await FakeMachine.boot();
  });
  afterEach(() => machine.stop());

  it('leaves a btrfs mount as it is listed when its device is not to be seen', async () => {
    await machine.addMountRow(`40 1 0:77 / ${machine.home} rw - btrfs /no/such/device rw`);
    const mounts = await readMounts({ root: machine.root, clock: machine, logger: machine.logger });
    assert.deepInclude(mounts.at(-1), { device: '0:77', fileSystem: 'btrfs' });
  });
});
