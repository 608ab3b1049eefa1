import { createHash } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { CsiClient, CsiError } from '../demo/csi-client.ts';

const DRIVER = 'additional-storage.csi.nifcloud.com';
const ZONE_KEY = 'topology.additional-storage.csi.nifcloud.com/zone';
const ATTACHMENTS = '/apis/storage.k8s.io/v1/volumeattachments';

/** After these a call may be under way still, and every sidecar repeats it as it was (docs/reference/csi.md B.1). */
const REPEATED: ReadonlySet<status> = new Set([status.ABORTED, status.UNAVAILABLE, status.DEADLINE_EXCEEDED]);

/** Between two tries of a call, in ms: shorter than the sidecars' second, for clouds that are quicker than the real one. */
const REPEAT_AFTER_MS = 100;
/** A call that was repeated so often goes nowhere. */
const TRIES = 100;

/** A node: its server's name and zone, its node server, and a folder in place of `/var/lib/kubelet`. */
export interface Machine {
  readonly name: string;
  readonly zone: string;
  readonly client: CsiClient;
  readonly kubeletFolder: string;
}

/** What CreateVolume answers, as far as it is needed. */
export interface CreatedVolume {
  readonly volume_id: string;
  readonly volume_context: Readonly<Record<string, string>>;
}

/** What ControllerPublishVolume tells the node. */
export type PublishContext = Readonly<Record<string, string>>;

const CAPABILITY = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

/**
 * Provisioner, attacher and kubelets of a cluster in which much happens at once. They repeat calls as the real ones do; a refusal that
 * those would take for final is thrown.
 */
export class Sidecars {
  readonly #controller: CsiClient;
  readonly #kube: (method: string, path: string, body?: object) => Promise<unknown>;
  readonly #repeats = new Map<string, number>();

  /** @param kube asks the Kubernetes API that the driver asks too */
  constructor(controller: CsiClient, kube: (method: string, path: string, body?: object) => Promise<unknown>) {
    this.#controller = controller;
    this.#kube = kube;
  }

  /** How many calls were repeated, by RPC and code. */
  get repeats(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#repeats);
  }

  async create(name: string, zone: string): Promise<CreatedVolume> {
    const { volume } = await this.#call<{ volume: CreatedVolume }>(this.#controller, 'Controller', 'CreateVolume', {
      name,
      capacity_range: { required_bytes: String(100 * 2 ** 30) },
      volume_capabilities: [CAPABILITY],
      accessibility_requirements: { preferred: [{ segments: { [ZONE_KEY]: zone } }] },
    });
    return volume;
  }

  async attach({ volume_id, volume_context }: CreatedVolume, { name }: Machine): Promise<PublishContext> {
    await this.#kube('POST', ATTACHMENTS, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'VolumeAttachment',
      metadata: { name: attachmentName(volume_id, name) },
      spec: { attacher: DRIVER, nodeName: name, source: { persistentVolumeName: volume_id } },
    });
    const request = { volume_id, volume_context, node_id: name, volume_capability: CAPABILITY };
    const answer = await this.#call<{ publish_context: PublishContext }>(
      this.#controller,
      'Controller',
      'ControllerPublishVolume',
      request,
    );
    return answer.publish_context;
  }

  /** @returns the folder where the volume is mounted */
  async stage(
    { volume_id, volume_context }: CreatedVolume,
    publish_context: PublishContext,
    machine: Machine,
  ): Promise<string> {
    const staging_target_path = stagingPath(machine, volume_id);
    await mkdir(staging_target_path, { recursive: true });
    const request = { volume_id, volume_context, publish_context, staging_target_path, volume_capability: CAPABILITY };
    await this.#call(machine.client, 'Node', 'NodeStageVolume', request);
    return staging_target_path;
  }

  async unstage({ volume_id }: CreatedVolume, machine: Machine): Promise<void> {
    const staging_target_path = stagingPath(machine, volume_id);
    await this.#call(machine.client, 'Node', 'NodeUnstageVolume', { volume_id, staging_target_path });
    await rmdir(staging_target_path);
  }

  async detach({ volume_id }: CreatedVolume, { name }: Machine): Promise<void> {
    await this.#call(this.#controller, 'Controller', 'ControllerUnpublishVolume', { volume_id, node_id: name });
    await this.#kube('DELETE', `${ATTACHMENTS}/${attachmentName(volume_id, name)}`);
  }

  async delete({ volume_id }: CreatedVolume): Promise<void> {
    await this.#call(this.#controller, 'Controller', 'DeleteVolume', { volume_id });
  }

  /** The whole life of a volume. */
  async live(name: string, machine: Machine): Promise<void> {
    const volume = await this.create(name, machine.zone);
    await this.stage(volume, await this.attach(volume, machine), machine);
    await this.unstage(volume, machine);
    await this.detach(volume, machine);
    await this.delete(volume);
  }

  async #call<T>(client: CsiClient, service: 'Controller' | 'Node', method: string, request: object): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await client.call<T>(service, method, request);
      } catch (error) {
        const { code } = error as CsiError;
        if (!REPEATED.has(code) || tries === TRIES) {
          throw new Error(`${method}: ${(error as Error).message}`, { cause: error });
        }
        const what = `${method} ${status[code]}`;
        this.#repeats.set(what, (this.#repeats.get(what) ?? 0) + 1);
        await pause(REPEAT_AFTER_MS);
      }
    }
  }
}

/** The name that the attach-detach controller gives (docs/reference/csi.md E.3). */
function attachmentName(volumeId: string, node: string): string {
  return `csi-${createHash('sha256').update(`${volumeId}${DRIVER}${node}`).digest('hex')}`;
}

function stagingPath({ kubeletFolder }: Machine, volumeId: string): string {
  const folder = createHash('sha256').update(volumeId).digest('hex');
  return join(kubeletFolder, 'plugins/kubernetes.io/csi', DRIVER, folder, 'globalmount');
}

/** What the provisioner calls its nth volume here. */
export function volumeName(n: number): string {
  return `pvc-00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

/** Runs jobs, so many at a time. */
export async function inFlight(count: number, jobs: Iterable<() => Promise<unknown>>): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await next.value();
  };
  await Promise.all(Array.from({ length: count }, work));
}
