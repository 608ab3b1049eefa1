import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { createControllerService } from '../../../../csi/controller/controller.ts';
import { ContinuedCalls } from '../../../../csi/continued-calls.ts';
import { Cluster } from '../../../../csi/disks/cluster.ts';
import { Disks } from '../../../../csi/disks/disks.ts';
import { RpcError } from '../../../../csi/rpc-error.ts';
import { VolumeLocks } from '../../../../csi/volume-locks.ts';
import type { Logger } from '../../../../daemon/logger.ts';
import { Crash, FastClock, ModelCloud } from '../disks/model-cloud.ts';
import { ModelKube } from '../disks/model-kube.ts';

const silent: Logger = { info() {}, warn() {}, error() {}, debug() {} };

export const GIB = 1024 ** 3;
export const ZONE_KEY = 'topology.additional-storage.csi.nifcloud.com/zone';

/** A mounted ext4 volume for one node, as the provisioner asks for it. */
export const mount = {
  access_type: 'mount',
  mount: { fs_type: 'ext4', mount_flags: [], volume_mount_group: '' },
  access_mode: { mode: 'SINGLE_NODE_WRITER' },
};

interface VolumeMessage {
  volume_id: string;
  capacity_bytes: string;
  volume_context: Record<string, string>;
  accessible_topology: { segments: Record<string, string> }[];
}

interface VolumeEntry {
  volume: VolumeMessage;
  status: { published_node_ids: string[]; volume_condition: { abnormal: boolean; message: string } };
}

interface Answers {
  CreateVolume: { volume: VolumeMessage };
  ControllerPublishVolume: { publish_context: Record<string, string> };
  ControllerExpandVolume: { capacity_bytes: string; node_expansion_required: boolean };
  ControllerGetVolume: VolumeEntry;
  ListVolumes: { entries: VolumeEntry[]; next_token: string };
  ValidateVolumeCapabilities: { confirmed?: object; message?: string };
  ControllerGetCapabilities: { capabilities: { rpc: { type: string } }[] };
}

type AnswerOf<Rpc extends string> = Rpc extends keyof Answers ? Answers[Rpc] : object;

/** Three nodes in two zones, a cloud and a Kubernetes, and controller processes that come and go. */
export class ControllerWorld {
  readonly clock: FastClock;
  readonly cloud: ModelCloud;
  readonly kube: ModelKube | undefined;
  readonly notices: { about: string; reason: string; message: string }[] = [];
  forcedDetaches = 0;
  readonly #nodeName: string | undefined;
  #stopping = new AbortController();
  #rpcs: ReturnType<typeof createControllerService>;

  /** @param options.beside what another process sees: this one works on the same cloud and Kubernetes at the same time */
  constructor(
    options: { readonly withKube?: boolean; readonly nodeName?: string; readonly beside?: ControllerWorld } = {},
  ) {
    const { beside } = options;
    this.clock = beside?.clock ?? new FastClock();
    this.cloud = beside?.cloud ?? new ModelCloud(this.clock);
    this.kube = beside?.kube ?? (options.withKube === false ? undefined : new ModelKube());
    this.#nodeName = options.nodeName;
    if (beside === undefined) this.#addNodes();
    this.#rpcs = this.#newProcess();
    this.clock.nowMs += 3_600_000; // it has been running for an hour
  }

  #addNodes(): void {
    for (const [name, zone] of [
      ['node01', 'east-11'],
      ['node02', 'east-11'],
      ['node03', 'east-12'],
    ] as const) {
      this.cloud.addServer(name, zone);
      this.kube?.addNode(name);
    }
  }

  /** The process is gone with all it knew; another one starts on the same world. */
  restart(): void {
    this.#stopping.abort(new Crash());
    this.#stopping = new AbortController();
    this.#rpcs = this.#newProcess();
  }

  async call<Rpc extends string>(
    rpc: Rpc,
    request: object,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<AnswerOf<Rpc>> {
    const handler = this.#rpcs[rpc];
    if (handler === undefined) throw new Error(`${rpc} is not served`);
    return (await handler({ ...DEFAULTS[rpc], ...request } as never, signal)) as AnswerOf<Rpc>;
  }

  /** The code and text with which a call is refused. */
  async refusal(rpc: string, request: object, signal?: AbortSignal): Promise<{ code: string; message: string }> {
    try {
      await this.call(rpc, request, signal);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return { code: status[error.code], message: error.message };
    }
    return expect.fail(`${rpc} was not refused`);
  }

  /** How many calls of the cloud API `work` makes. */
  async callsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
    const before = this.cloud.calls.length;
    await work();
    return this.cloud.calls.slice(before);
  }

  #newProcess(): ReturnType<typeof createControllerService> {
    const { clock, cloud } = this;
    return createControllerService({
      disks: new Disks({
        cloud,
        cluster: this.kube && new Cluster(this.kube, clock),
        notices: {
          warn: ({ kind, name }, reason, message) => {
            this.notices.push({ about: `${kind}/${name}`, reason, message });
          },
        },
        clock,
        logger: silent,
      }),
      calls: new ContinuedCalls(silent, this.#stopping.signal),
      locks: new VolumeLocks(),
      forcedDetaches: { inc: () => (this.forcedDetaches += 1) },
      nodeName: this.#nodeName,
    });
  }
}

/** What proto-loader fills in. */
const DEFAULTS: Readonly<Record<string, object>> = {
  CreateVolume: {
    name: '',
    capacity_range: null,
    volume_capabilities: [mount],
    parameters: {},
    secrets: {},
    volume_content_source: null,
    accessibility_requirements: inZones('east-11'),
    mutable_parameters: {},
  },
  DeleteVolume: { volume_id: '', secrets: {} },
  ControllerPublishVolume: {
    volume_id: '',
    node_id: '',
    volume_capability: mount,
    readonly: false,
    secrets: {},
    volume_context: {},
  },
  ControllerUnpublishVolume: { volume_id: '', node_id: '', secrets: {} },
  ControllerExpandVolume: { volume_id: '', capacity_range: null, secrets: {}, volume_capability: null },
  ControllerGetVolume: { volume_id: '' },
  ControllerModifyVolume: { volume_id: '', secrets: {}, mutable_parameters: {} },
  ListVolumes: { max_entries: 0, starting_token: '' },
  ValidateVolumeCapabilities: {
    volume_id: '',
    volume_context: {},
    volume_capabilities: [mount],
    parameters: {},
    secrets: {},
    mutable_parameters: {},
  },
};

/** A topology requirement as the provisioner sends it with `--strict-topology`. */
export function inZones(...zones: string[]): object {
  const topologies = zones.map((zone) => ({ segments: { [ZONE_KEY]: zone } }));
  return { requisite: topologies, preferred: topologies };
}

/** A capacity range in GiB. */
export function range(requiredGiB: number, limitGiB = 0): object {
  return { required_bytes: String(requiredGiB * GIB), limit_bytes: String(limitGiB * GIB) };
}
