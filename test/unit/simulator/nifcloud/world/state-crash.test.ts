import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { fleetFile } from '../../../../../bench/simulator-fleet.ts';
import { DEMO_CREDENTIALS } from '../../../../../simulator/nifcloud/simulator.ts';
import { readState } from '../../../../../simulator/nifcloud/world/state-file.ts';
import { parseSwitches } from '../../../../../simulator/nifcloud/world/switches.ts';
import { RawClient } from '../raw-client.ts';

const MAIN = fileURLToPath(new URL('../../../../../simulator/main.ts', import.meta.url));
/** Calls under way at once. */
const CALLERS = 8;

describe('the state of a simulator that is killed', () => {
  let folder: string;
  const running: ChildProcess[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'state-crash-'));
  });
  afterEach(async () => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });

  async function start(flags: readonly string[]): Promise<{ child: ChildProcess; client: RawClient }> {
    const child = spawn(process.execPath, [MAIN, '--latency=0s', '--transition=1h', ...flags], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'] ?? '' },
    });
    running.push(child);
    let line = '';
    for await (const chunk of child.stdout ?? []) {
      line += String(chunk);
      if (line.endsWith('}\n')) break;
    }
    const { listening } = JSON.parse(line) as { listening: string };
    return { child, client: new RawClient(listening, DEMO_CREDENTIALS) };
  }

  it('holds every change that was answered, whenever it dies, and goes on from there', async () => {
    const [fleet, file] = [join(folder, 'fleet.json'), join(folder, 'state.json')];
    await writeFile(fleet, fleetFile({ servers: 100, disks: 500, loadBalancers: 10 }));
    const answered: string[] = [];
    for (const killAfter of [1, 40, 90]) {
      const { child, client } = await start([`--fleet=${fleet}`, `--state=${file}`]);
      const died = once(child, 'exit');
      const create = async (caller: number): Promise<void> => {
        for (let turn = 0; ; turn++) {
          const VolumeId = `k${killAfter}c${caller}t${turn}`;
          await client.done('CreateVolume', {
            VolumeId,
            Size: 100,
            InstanceId: `node${(turn * CALLERS + caller) % 100}`,
          });
          answered.push(VolumeId);
          if (answered.length >= killAfter) child.kill('SIGKILL');
        }
      };
      // Each ends with the connection that the death of the process breaks.
      await Promise.allSettled(Array.from({ length: CALLERS }, (_, caller) => create(caller)));
      await died;
      const volumes = readState(file, parseSwitches(''))?.volumes;
      expect(answered.length).to.be.at.least(killAfter);
      expect(answered.filter((id) => volumes?.has(id) !== true)).to.deep.equal([]);
    }
    const { client } = await start([`--state=${file}`]);
    const known = new Set((await client.done('DescribeVolumes')).each('volumeSet.item', 'volumeId'));
    expect(answered.filter((id) => !known.has(id))).to.deep.equal([]);
    expect(known.size).to.be.at.least(500 + answered.length);
  });
});
