import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { CsiClient } from '../demo/csi-client.ts';
import type { Server, Stage } from '../demo/stage.ts';
import type { Simulator } from '../simulator/nifcloud/simulator.ts';
import { cloudEnvironment } from './cloud-environment.ts';

const HURRIED_CLOCK = fileURLToPath(new URL('hurried-clock.ts', import.meta.url));

/** As in image/bin, as far as NODE_OPTIONS may say it. */
const SMALL_HEAP = '--max-semi-space-size=1';
const CAPPED_HEAP = `${SMALL_HEAP} --max-old-space-size=48`;

/** A running program of the CSI driver. */
export interface CsiProgram {
  readonly socket: string;
  readonly client: CsiClient;
  readonly pid: number;
}

/**
 * Starts the CSI driver as a process on a simulated cloud whose hosts have disks, with a hurried clock, and waits until it serves.
 * @param name of its socket and its log
 * @param server the server that it runs on
 * @param flags besides those that say where everything is
 */
export async function startCsi(
  stage: Stage,
  cloud: Simulator,
  { name, mode, server, flags = [] }: CsiProgramOptions,
): Promise<CsiProgram> {
  const socket = join(stage.folder, `${name}.sock`);
  const client = new CsiClient(socket);
  const keys = cloudEnvironment(cloud);
  const place = {
    NODE_NAME: server.name,
    NIFCLOUD_ZONE: server.zone,
    NODE_OPTIONS: `--import=${HURRIED_CLOCK} ${mode === 'node' ? CAPPED_HEAP : SMALL_HEAP}`,
  };
  const args = [
    `--mode=${mode}`,
    `--endpoint=unix://${socket}`,
    `--host-root=${server.hostRoot}`,
    `--state-dir=${join(stage.folder, `${name}.state`)}`,
    ...flags,
  ];
  const pid = await stage.start(name, 'csi/main.ts', args, { ...(mode === 'node' ? {} : keys), ...place }, () =>
    client.ready(),
  );
  return { socket, client, pid };
}

export interface CsiProgramOptions {
  readonly name: string;
  readonly mode: 'all' | 'controller' | 'node';
  readonly server: Pick<Server, 'name' | 'zone' | 'hostRoot'>;
  readonly flags?: readonly string[];
}
