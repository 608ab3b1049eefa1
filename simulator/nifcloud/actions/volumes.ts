import type { Call, Handler } from '../api/call.ts';
import { describedBy } from '../api/names.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal, timestamp } from '../api/wire.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import {
  attachmentStatus,
  disksOf,
  renameVolume,
  SLOTS,
  STEP_GB,
  VOLUME_NAME,
  volumeStatus,
} from '../world/volumes.ts';
import { issueUniqueId } from '../world/world.ts';
import { rebootServer } from '../world/power.ts';
import { isUp, noSuchServer, requireSettledServer, serverNamed, serverWithId } from '../world/servers.ts';
import type { Attachment, Volume } from '../world/volumes.ts';
import type { Server } from '../world/servers.ts';
import type { TransitionKind } from '../world/transition.ts';
import type { World } from '../world/world.ts';

/** `Size` up to this counts steps of 100 GB; more is GB (nifcloud-api.md §3.2). */
const MAX_STEPS = 40;
/** Characters of any width (nifcloud-api.md §3.1). */
const MAX_DESCRIPTION = 40;

/** Request code → text of answers (nifcloud-api.md §3.2). */
const DISK_TYPES: Readonly<Record<string, string>> = {
  '1': 'disk100', // of old; only the SDK of 2016 knows it
  '2': 'Standard Storage',
  '3': 'High-Speed Storage A',
  '4': 'High-Speed Storage B',
  '5': 'Flash Storage',
  '6': 'Standard Flash Storage A',
  '7': 'Standard Flash Storage B',
  '8': 'High-Speed Flash Storage A',
  '9': 'High-Speed Flash Storage B',
};
/** What the cloud takes when a request names none is unknown; these are what its clients send. */
const DEFAULT_DISK_TYPE = '6';
const DEFAULT_ACCOUNTING_TYPE = '2';

/** DescribeVolumes. */
export const describeVolumes: Handler = (call) => {
  const { world } = call;
  const volumes = describedBy(call, 'VolumeId', {
    all: world.volumes.values(),
    find: (id) => world.volumes.get(id),
    unknown: noSuchVolume,
  });
  return { volumeSet: { item: volumes.map((volume) => describe(world, volume)) } };
};

function describe(world: World, volume: Volume): XmlFields {
  const { attachment } = volume;
  // Whether the cloud lists the attachment that a disk is being born with is unknown.
  const listed = attachment !== undefined && volumeStatus(volume) !== 'creating';
  return {
    ...identity(volume),
    size: volume.sizeGB,
    diskType: volume.diskType,
    snapshotId: undefined,
    availabilityZone: volume.zone,
    accountingType: volume.accountingType,
    nextMonthAccountingType: volume.nextMonthAccountingType,
    status: volumeStatus(volume),
    createTime: timestamp(volume.createdAtMs),
    attachmentSet: {
      item: listed ? [{ ...attached(world, volume, attachment), deleteOnTermination: false }] : [],
    },
    description: volume.description,
  };
}

function identity(volume: Volume): XmlFields {
  return { volumeId: volume.id, volumeUniqueId: volume.uniqueId };
}

/** Here a device is written without a blank: `SCSI(0:1)` (recorded answers, nifcloud-api.md §2.4). */
function attached(world: World, volume: Volume, attachment: Attachment): XmlFields {
  const server = serverWithId(world, attachment.serverUniqueId);
  return {
    ...identity(volume),
    instanceId: server.name,
    instanceUniqueId: server.uniqueId,
    device: `SCSI(0:${attachment.slot})`,
    status: attachmentStatus(volume),
    attachTime: timestamp(attachment.attachedAtMs),
  };
}

/** CreateVolume: a disk is always born attached to a server and in that server's zone (nifcloud-api.md §3.2). */
export const createVolume: Handler = (call) => {
  const { world, parameters, nowMs } = call;
  const sizeGB = readSizeGB(world, parameters);
  const diskType = parameters.choice('DiskType', Object.keys(DISK_TYPES)) ?? DEFAULT_DISK_TYPE;
  const accountingType = parameters.choice('AccountingType', ['1', '2']) ?? DEFAULT_ACCOUNTING_TYPE;
  const description = readDescription(parameters.text('Description') ?? '', 'Description');
  const id = readNewName(world, parameters.text('VolumeId'), 'VolumeId') ?? issuedName(call);
  const server = birthServer(call);
  const volume: Volume = {
    id,
    uniqueId: issueUniqueId('vol', `${id} ${nowMs} ${call.random()}`),
    sizeGB,
    diskType: DISK_TYPES[diskType] ?? diskType,
    zone: server.zone,
    accountingType,
    nextMonthAccountingType: accountingType,
    description,
    createdAtMs: nowMs,
    attachment: takeSlot(world, server, nowMs),
    transition: undefined,
  };
  begin(call, volume, 'create');
  world.volumes.set(id, volume);
  return {
    ...identity(volume),
    size: sizeGB,
    diskType: volume.diskType,
    snapshotId: undefined,
    availabilityZone: volume.zone,
    accountingType,
    status: volumeStatus(volume),
    createTime: timestamp(nowMs),
    description,
  };
};

/** AttachVolume. It takes names only; the slot is the lowest free one. */
export const attachVolume: Handler = (call) => {
  const { world, parameters } = call;
  refuseUnusable(parameters, 'Device');
  const volume = settledVolume(world, parameters.requiredText('VolumeId'));
  const server = serverNamed(world, parameters.requiredText('InstanceId'));
  if (volume.attachment !== undefined) {
    throw new Refusal('Server.Inoperable.Volume.AlreadyAttached', `disk ${volume.id} is attached already`);
  }
  if (volume.zone !== server.zone) {
    throw new Refusal(
      'Client.Inoperable.Volume.DifferentZone',
      `disk ${volume.id} is in ${volume.zone}, server ${server.name} in ${server.zone}`,
    );
  }
  requireFreeServer(world, server);
  const attachment = takeSlot(world, server, call.nowMs);
  volume.attachment = attachment;
  begin(call, volume, 'attach');
  return attached(world, volume, attachment);
};

/** DetachVolume: without InstanceId from whichever server has it. */
export const detachVolume: Handler = (call) => {
  const { world, parameters } = call;
  refuseUnusable(parameters, 'Device', 'Force');
  const volume = settledVolume(world, parameters.requiredText('VolumeId'));
  const name = parameters.text('InstanceId');
  const wanted = name === undefined ? undefined : serverNamed(world, name);
  const agreement = parameters.boolean('Agreement') ?? false;
  const attachment = requireAttachment(volume);
  const holder = serverWithId(world, attachment.serverUniqueId);
  if (wanted !== undefined && wanted !== holder) throw detached(volume, `server ${wanted.name}`);
  requireFreeServer(world, holder);
  // "Go on although the server is running" (nifcloud-api.md §3.5); that the cloud insists on it is presumed.
  if (!agreement && isUp(holder)) {
    throw new Refusal(
      'Client.Inoperable.Volume.AgreementRequired',
      `server ${holder.name} is running: send Agreement=true`,
    );
  }
  begin(call, volume, 'detach');
  return attached(world, volume, attachment);
};

/** DeleteVolume: only a disk that is attached to nothing. */
export const deleteVolume: Handler = (call) => {
  const volume = settledVolume(call.world, call.parameters.requiredText('VolumeId'));
  if (volume.attachment !== undefined) {
    throw new Refusal('Client.Inoperable.Volume.AttachedToInstance', `disk ${volume.id} is attached: detach it first`);
  }
  begin(call, volume, 'delete');
  return { return: true };
};

/**
 * ExtendVolumeSize: each call adds 100 GB to an attached disk (nifcloud-api.md §3.6). What the cloud does without NiftyReboot is
 * unknown; here the server is rebooted, as the Terraform provider has it, so that a client that forgets the key finds out.
 * The reboot takes as long as the growth (invented).
 */
export const extendVolumeSize: Handler = (call) => {
  const { world, parameters } = call;
  const volume = settledVolume(world, parameters.requiredText('VolumeId'));
  const reboot = parameters.choice('NiftyReboot', ['force', 'true', 'false']) ?? 'true';
  const server = serverWithId(world, requireAttachment(volume).serverUniqueId);
  requireFreeServer(world, server);
  if (volume.sizeGB + STEP_GB > maxSizeGB(world)) {
    throw new Refusal(
      'Client.Inoperable.Volume.SizeLimitExceeded',
      `disk ${volume.id} has ${volume.sizeGB} GB already`,
    );
  }
  const growth = call.transition('extend');
  volume.transition = growth;
  if (reboot !== 'false' && isUp(server)) {
    rebootServer(server, { ...growth, kind: 'power' }, { force: reboot === 'force' });
  }
  return { return: true };
};

/**
 * ModifyVolumeAttribute: one attribute a call; a new accounting type shows as next month's at once (nifcloud-api.md §3.7). The
 * published Terraform provider makes several such calls without waiting, so none makes the disk busy.
 */
export const modifyVolumeAttribute: Handler = ({ world, parameters }) => {
  const volume = settledVolume(world, parameters.requiredText('VolumeId'));
  const attribute = parameters.choice('Attribute', ['accountingType', 'volumeName', 'description']);
  if (attribute === 'accountingType') {
    volume.nextMonthAccountingType = parameters.choice('Value', ['1', '2']) ?? parameters.requiredText('Value');
  } else if (attribute === 'description') {
    volume.description = readDescription(parameters.text('Value') ?? '', 'Value');
  } else {
    parameters.requiredText('Attribute');
    renameVolume(world, volume, readNewName(world, parameters.requiredText('Value'), 'Value') ?? volume.id);
  }
  return { return: true };
};

function begin(call: Call, volume: Volume, kind: TransitionKind): void {
  volume.transition = call.transition(kind);
}

/** The documentation says 4000; other sources say 1000 and 8000 (nifcloud-api.md §11 no. 2). */
function maxSizeGB(world: World): number {
  return Number(world.switches['disk-cap']);
}

function readSizeGB(world: World, parameters: Parameters): number {
  const size = parameters.requiredInteger('Size');
  const sizeGB = size <= MAX_STEPS ? size * STEP_GB : size;
  if (sizeGB < STEP_GB || sizeGB % STEP_GB !== 0 || sizeGB > maxSizeGB(world)) {
    throw illegal('Size', `${size} is neither 1 to 40 (times 100 GB) nor a multiple of 100 up to ${maxSizeGB(world)}`);
  }
  return sizeGB;
}

function readDescription(text: string, parameter: string): string {
  if (Array.from(text).length > MAX_DESCRIPTION) throw illegal(parameter, `more than ${MAX_DESCRIPTION} characters`);
  return text;
}

function readNewName(world: World, name: string | undefined, parameter: string): string | undefined {
  if (name === undefined) return undefined;
  if (!VOLUME_NAME.test(name)) throw illegal(parameter, `${name} is not 1 to 32 letters and digits`);
  if (world.volumes.has(name)) {
    throw new Refusal('Client.InvalidParameterDuplicate.Volume', `there is a disk ${name} already`);
  }
  return name;
}

/** The 8 alphanumerics that the cloud issues to a disk without a VolumeId. */
function issuedName({ world, nowMs, random }: Call): string {
  for (let attempt = 0; ; attempt++) {
    const name = issueUniqueId('vol', `name ${nowMs} ${random()} ${attempt}`).slice('vol-'.length);
    if (!world.volumes.has(name)) return name;
  }
}

/** Exactly one of InstanceId and InstanceUniqueId names the server. */
function birthServer({ world, parameters }: Call): Server {
  const name = parameters.text('InstanceId');
  const id = parameters.text('InstanceUniqueId');
  if (name !== undefined && id !== undefined) throw illegal('InstanceUniqueId', 'InstanceId is given as well');
  const server =
    id === undefined ? serverNamed(world, parameters.requiredText('InstanceId')) : world.serversByUniqueId.get(id);
  if (server === undefined) throw noSuchServer(id);
  requireFreeServer(world, server);
  return server;
}

/** A server that an operation on a disk can begin on: whether others of its disks may be in transition is the switch `disk-lock`. */
function requireFreeServer(world: World, server: Server): void {
  requireSettledServer(server);
  if (world.switches['disk-lock'] !== 'server') return;
  const busy = disksOf(world, server.uniqueId).find(({ volume }) => volume.transition !== undefined);
  if (busy !== undefined) {
    throw new Refusal(
      'Server.ResourceIncorrectState.Instance.Processing',
      `disk ${busy.volume.id} of server ${server.name} is being processed`,
    );
  }
}

function takeSlot(world: World, server: Server, nowMs: number): Attachment {
  const taken = new Set(disksOf(world, server.uniqueId).map(({ attachment }) => attachment.slot));
  const slot = SLOTS.find((one) => !taken.has(one));
  if (slot === undefined) {
    throw new Refusal(
      'Client.Inoperable.Instance.VolumeLimitExceeded',
      `server ${server.name} has ${SLOTS.length} disks already`,
    );
  }
  return { serverUniqueId: server.uniqueId, slot, attachedAtMs: nowMs };
}

function volumeNamed(world: World, id: string): Volume {
  const volume = world.volumes.get(id);
  if (volume === undefined) throw noSuchVolume(id);
  return volume;
}

function noSuchVolume(id: string): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.Volume', `there is no disk ${id}`);
}

/** A disk that may be changed: one in transition refuses everything. */
function settledVolume(world: World, id: string): Volume {
  const volume = volumeNamed(world, id);
  if (volume.transition !== undefined) {
    throw new Refusal('Server.ResourceIncorrectState.Volume.Processing', `disk ${id} is being processed`);
  }
  return volume;
}

function requireAttachment(volume: Volume): Attachment {
  if (volume.attachment === undefined) throw detached(volume, 'any server');
  return volume.attachment;
}

function detached(volume: Volume, from: string): Refusal {
  return new Refusal('Client.Inoperable.Volume.DetachedFromInstance', `disk ${volume.id} is not attached to ${from}`);
}

/** Parameters of the model that the documentation marks as unusable (nifcloud-api.md §3.5). */
function refuseUnusable(parameters: Parameters, ...names: readonly string[]): void {
  for (const name of names) {
    if (parameters.text(name) !== undefined) throw illegal(name, 'this parameter is not usable');
  }
}
