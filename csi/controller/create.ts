import { status } from '@grpc/grpc-js';
import type { CreateVolumeRequest__Output } from '../../proto/gen/csi/v1/CreateVolumeRequest.ts';
import type { CreateVolumeResponse } from '../../proto/gen/csi/v1/CreateVolumeResponse.ts';
import { asUnfinished } from '../disks/cloud-error.ts';
import type { Volume } from '../disks/cloud.ts';
import type { Disks } from '../disks/disks.ts';
import { descriptionOf, disksNamed, volumeIdOf } from '../disks/identity.ts';
import { planCreate } from '../disks/plan.ts';
import { RpcError } from '../rpc-error.ts';
import type { VolumeLocks } from '../volume-locks.ts';
import { requireCapabilities } from '../volume-capability.ts';
import { isInRange, sizeInRange } from './capacity.ts';
import type { ClassParameters } from './class-parameters.ts';
import { diskTypeFor, mismatches, parseClassParameters } from './class-parameters.ts';
import { requireText } from './request.ts';
import { requiredZones } from './topology.ts';
import { volumeMessage } from './volume-message.ts';

/** What a CreateVolume asks for. */
interface Wanted {
  readonly name: string;
  readonly range: CreateVolumeRequest__Output['capacity_range'];
  readonly sizeGB: number;
  readonly parameters: ClassParameters;
  /** Empty = any. */
  readonly zones: readonly string[];
}

/** Control characters other than white space (docs/reference/csi.md A.4). */
const FORBIDDEN_IN_NAME = /[^\P{Cc}\t\n\r]/u;

export interface CreateSurroundings {
  readonly disks: Disks;
  readonly locks: VolumeLocks;
  /** The driver's own server, whose zone is taken when the caller names none; `undefined` = not known. */
  readonly nodeName: string | undefined;
}

/**
 * CreateVolume: afterwards a disk of that name exists and no birth holds it. The name decides the VolumeId, so a call that died
 * at any point is finished by the next one, and a repeat costs one read.
 */
export async function createVolume(
  request: CreateVolumeRequest__Output,
  { disks, locks, nodeName }: CreateSurroundings,
  signal: AbortSignal,
): Promise<CreateVolumeResponse> {
  const wanted = parse(request);
  const id = volumeIdOf(wanted.name);
  return locks.hold(id, async () => {
    const volumes = await disks.list(signal);
    const existing = await choose(wanted.name, disksNamed(wanted.name, volumes), disks, signal);
    if (existing === undefined) return asResponse(await make(wanted, volumes, disks, nodeName, signal));
    refuseIncompatible(existing, wanted);
    if (existing.id === id) return asResponse(await finish(existing, volumes, disks, signal));
    // Half-made by the Go driver, under a name of the cloud's choice: other RPCs know it by that.
    return locks.hold(existing.id, async () => asResponse(await finish(existing, volumes, disks, signal)));
  });
}

function parse(request: CreateVolumeRequest__Output): Wanted {
  const name = requireText(request, 'name');
  if (FORBIDDEN_IN_NAME.test(name)) throw new RpcError(status.INVALID_ARGUMENT, 'name has control characters');
  requireCapabilities(request.volume_capabilities);
  if (request.volume_content_source !== null) {
    throw new RpcError(status.INVALID_ARGUMENT, 'volume_content_source: the cloud has no snapshots and no clones');
  }
  return {
    name,
    range: request.capacity_range,
    sizeGB: sizeInRange(request.capacity_range),
    parameters: parseClassParameters(request.parameters, request.mutable_parameters),
    zones: requiredZones(request.accessibility_requirements),
  };
}

/** Of several disks of one name the one that a PersistentVolume uses, else the oldest. The others are named, never deleted. */
async function choose(
  name: string,
  found: readonly Volume[],
  disks: Disks,
  signal: AbortSignal,
): Promise<Volume | undefined> {
  if (found.length < 2) return found[0];
  const chosen = (await disks.usedByPersistentVolume(name, found, signal)) ?? found[0];
  const others = found.filter((one) => one !== chosen).map(({ id, uniqueId }) => `${id} (${uniqueId})`);
  disks.notices.warn(
    { kind: 'PersistentVolume', name },
    'SeveralDisks',
    `disk ${chosen?.id} is used; there are others of the same name, which cost money: ${others.join(', ')}`,
  );
  return chosen;
}

/** @throws RpcError ALREADY_EXISTS when the disk is not what is asked for. */
function refuseIncompatible(volume: Volume, { name, range, parameters, zones }: Wanted): void {
  const complaints: string[] = [];
  // NaN: the cloud does not say; `finish` waits until it does.
  if (!Number.isNaN(volume.sizeGB) && !isInRange(volume.sizeGB, range)) complaints.push(`${volume.sizeGB} GiB large`);
  if (zones.length > 0 && volume.zone !== '' && !zones.includes(volume.zone)) complaints.push(`in zone ${volume.zone}`);
  complaints.push(...mismatches(volume, parameters));
  if (complaints.length === 0) return;
  throw new RpcError(
    status.ALREADY_EXISTS,
    `volume ${name} exists as disk ${volume.id} and is not what is asked for: it is ${complaints.join(', ')}`,
  );
}

/** Ends what a call that died left behind. The disk exists: no error may say otherwise. */
async function finish(
  volume: Volume,
  volumes: readonly Volume[],
  disks: Disks,
  signal: AbortSignal,
): Promise<Volume | undefined> {
  try {
    const found = await disks.settle({ handle: volume.id, volumes, volume }, signal);
    return found && (await disks.apply(found, planCreate(await disks.see(found, signal)), signal));
  } catch (error) {
    throw asUnfinished(error, `the creation of volume ${volume.id}`);
  }
}

async function make(
  { name, sizeGB, parameters, zones }: Wanted,
  volumes: readonly Volume[],
  disks: Disks,
  nodeName: string | undefined,
  signal: AbortSignal,
): Promise<Volume | undefined> {
  const disk = {
    id: volumeIdOf(name),
    sizeGB,
    diskType: diskTypeFor(name, parameters),
    accountingType: parameters.accountingType,
    description: descriptionOf(name),
    zone: zones[0] ?? (await ownZone(nodeName, disks, signal)),
  };
  return disks.make(disk, volumes, planCreate(undefined), signal);
}

/** Where a volume is made whose caller names no zone: where the driver runs, as with the Go driver. */
async function ownZone(nodeName: string | undefined, disks: Disks, signal: AbortSignal): Promise<string> {
  if (nodeName === undefined) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'no zone: the request has no accessibility_requirements and the driver no NODE_NAME to take the zone of',
    );
  }
  const own = (await disks.servers(signal)).find(({ name }) => name === nodeName);
  if (own !== undefined) return own.zone;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `no zone: the request has no accessibility_requirements and no server is called ${nodeName} (NODE_NAME)`,
  );
}

function asResponse(volume: Volume | undefined): CreateVolumeResponse {
  if (volume === undefined) throw new RpcError(status.ABORTED, 'the disk was deleted while it was made; try again');
  return { volume: volumeMessage(volume, volume.id) };
}
