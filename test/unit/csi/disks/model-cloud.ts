import type { Clock } from '../../../../daemon/clock.ts';
import type { Cloud, Server, Volume } from '../../../../csi/disks/cloud.ts';
import { DISK_TYPES } from '../../../../nifcloud/volumes.ts';
import { NifcloudError } from '../../../../nifcloud/errors.ts';

/** Turns of the event loop after which nothing is under way but sleep: calls of the models take a few each. */
const STILL_TURNS = 30;

/** A clock on which sleeping takes no time: when everybody sleeps, it jumps to where the first one wakes. */
export class FastClock implements Clock {
  nowMs = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<{ readonly dueMs: number; readonly wake: () => void }>();
  #isDriven = false;

  now(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const slept = Promise.withResolvers<void>();
    const sleeper = { dueMs: this.nowMs + delayMs, wake: slept.resolve };
    const onAbort = (): void => slept.reject(signal?.reason as Error);
    this.#sleepers.add(sleeper);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (!this.#isDriven) void this.#drive();
    await slept.promise.finally(() => {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener('abort', onAbort);
    });
  }

  async #drive(): Promise<void> {
    this.#isDriven = true;
    while (this.#sleepers.size > 0) {
      for (let turn = 0; turn < STILL_TURNS; turn += 1) await new Promise(setImmediate);
      const [first] = [...this.#sleepers].sort((a, b) => a.dueMs - b.dueMs);
      if (first === undefined) break;
      this.nowMs = Math.max(this.nowMs, first.dueMs);
      this.#sleepers.delete(first);
      first.wake();
    }
    this.#isDriven = false;
  }
}

/** What a killed process leaves: nothing after it happens. */
export class Crash extends Error {}

/** An error as the cloud answers it. */
export function refused(action: string, code: string): NifcloudError {
  return new NifcloudError({ action, code, detail: '', outcome: 'refused', httpStatus: 500 });
}

/** An answer that never came. */
export function lost(action: string): NifcloudError {
  return new NifcloudError({ action, code: 'ECONNRESET', detail: 'socket hang up', outcome: 'unknown' });
}

type Changing = { -readonly [Key in keyof Volume]: Volume[Key] };

interface Entry {
  volume: Changing;
  transition: { readonly server: string; readonly doneAtMs: number; readonly finish: () => void } | undefined;
}

const TRANSITION_MS = 3_000;
const POLL_MS = 3_000;

/** A small NIFCLOUD: asynchronous states, the real refusals, one slot after another. It counts every call. */
export class ModelCloud implements Cloud {
  readonly clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #servers = new Map<string, Server>();
  /** Actions in the order of their calls. */
  readonly calls: string[] = [];
  /** Called before a call takes effect and after it did; what it throws, the caller gets. */
  fault: (action: string, moment: 'before' | 'after', callNumber: number) => void = () => undefined;
  /** What comes of a change that was accepted: `undone` = it begins and is taken back, `unbegun` = it never begins. */
  fate: (action: string) => 'done' | 'undone' | 'unbegun' = () => 'done';
  /** Whether an operation on a disk keeps all disks of its server from further ones, as far as this code of the refusal says. */
  blockedWith: string | undefined;
  /** How often that happened. */
  refusals = 0;
  /** Servers on which everything is refused with this code. */
  readonly refusing = new Map<string, string>();
  #made = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  addServer(name: string, zone = 'east-11', more: Partial<Server> = {}): Server {
    const server: Server = {
      name,
      uniqueId: `i-${name}`,
      zone,
      type: 'small',
      state: 'running',
      privateAddress: '',
      publicAddress: '',
      firewallGroups: [],
      interfaces: [],
      ...more,
    };
    this.#servers.set(name, server);
    return server;
  }

  removeServer(name: string): void {
    this.#servers.delete(name);
  }

  /** A disk that is simply there. */
  addVolume(id: string, more: Partial<Volume> & { readonly on?: string } = {}): Volume {
    const { on, ...fields } = more;
    const volume: Changing = {
      id,
      uniqueId: `vol-${(this.#made += 1)}`,
      sizeGB: 100,
      diskType: 'Standard Flash Storage A',
      zone: 'east-11',
      accountingType: '2',
      nextMonthAccountingType: '2',
      status: 'available',
      description: '',
      createdAt: new Date(this.clock.now() + this.#made).toISOString(),
      attachments: [],
      ...fields,
    };
    if (on !== undefined) {
      volume.status = 'in-use';
      volume.attachments = [this.#attachment(this.#server('setup', on), 'attached')];
    }
    this.#entries.set(id, { volume, transition: undefined });
    return { ...volume };
  }

  removeVolume(id: string): void {
    this.#entries.delete(id);
  }

  renameVolume(from: string, to: string): void {
    const entry = this.#entries.get(from);
    if (entry === undefined) throw new Error(`no volume ${from}`);
    this.#entries.delete(from);
    entry.volume.id = to;
    this.#entries.set(to, entry);
  }

  renameServer(from: string, to: string): void {
    const server = this.#server('setup', from);
    this.#servers.delete(from);
    this.#servers.set(to, { ...server, name: to });
    for (const { volume } of this.#entries.values()) {
      volume.attachments = volume.attachments.map((one) =>
        one.serverName === from ? { ...one, serverName: to } : one,
      );
    }
  }

  /** The disks as they are now, after all transitions. */
  settledState(): readonly Volume[] {
    for (const { transition } of this.#entries.values()) transition?.finish();
    return this.#shown();
  }

  /** Where a disk is: '' = nowhere; undefined = no such disk. After all transitions. */
  serverOf(id: string): string | undefined {
    const volume = this.settledState().find((one) => one.id === id);
    return volume && (volume.attachments[0]?.serverName ?? '');
  }

  count(action: string): number {
    return this.calls.filter((one) => one === action).length;
  }

  readonly servers: Cloud['servers'] = {
    list: () => this.#call('DescribeInstances', () => [...this.#servers.values()]),
    disks: (name) =>
      this.#call('DescribeInstanceAttribute', () => {
        const server = this.#server('DescribeInstanceAttribute', name);
        const disks = this.#shown()
          .filter((volume) => volume.attachments.some(({ serverUniqueId }) => serverUniqueId === server.uniqueId))
          .map((volume) => ({
            slot: slotOf(volume),
            device: volume.attachments[0]?.device ?? '',
            volumeId: volume.id,
            volumeUniqueId: volume.uniqueId,
            status: 'attached',
          }));
        return { serverUniqueId: server.uniqueId, disks };
      }),
  };

  readonly volumes: Cloud['volumes'] = {
    list: () => this.#call('DescribeVolumes', () => this.#shown()),
    until: async (id, accept, signal) => {
      for (;;) {
        await this.clock.sleep(POLL_MS, signal);
        const seen = await this.#call('DescribeVolumes', () => this.#shown().find((volume) => volume.id === id));
        const result = accept(seen);
        if (result !== undefined) return result;
      }
    },
    create: (wanted, signal) =>
      this.#mutate('CreateVolume', signal, () => {
        if (this.#entries.has(wanted.id)) throw refused('CreateVolume', 'Client.InvalidParameterDuplicate.Volume');
        const server = this.#server('CreateVolume', wanted.serverName);
        const slot = this.#freeSlot('CreateVolume', server);
        const { sizeGB, accountingType, description } = wanted;
        const diskType = DISK_TYPES.find(({ code }) => code === wanted.diskType)?.answer ?? '';
        const { zone } = server;
        const fields = { sizeGB, diskType, accountingType, nextMonthAccountingType: accountingType, description, zone };
        const { id } = this.addVolume(wanted.id, { ...fields, status: 'creating' });
        this.#begin(id, server.uniqueId, (volume) => {
          volume.status = 'in-use';
          volume.attachments = [this.#attachment(server, 'attached', slot)];
        });
        return { id };
      }),
    attach: ({ volumeId, serverName }, signal) =>
      this.#mutate('AttachVolume', signal, () => {
        const volume = this.#idle('AttachVolume', volumeId);
        const server = this.#server('AttachVolume', serverName);
        if (volume.attachments.length > 0) throw refused('AttachVolume', 'Server.Inoperable.Volume.AlreadyAttached');
        if (volume.zone !== server.zone) throw refused('AttachVolume', 'Client.Inoperable.Volume.DifferentZone');
        const slot = this.#freeSlot('AttachVolume', server);
        volume.status = 'in-use';
        volume.attachments = [this.#attachment(server, 'attaching', slot)];
        this.#begin(volumeId, server.uniqueId, (one) => {
          one.attachments = [this.#attachment(server, 'attached', slot)];
        });
        return { serverUniqueId: server.uniqueId, volumeUniqueId: volume.uniqueId };
      }),
    detach: ({ volumeId, serverName }, signal) =>
      this.#mutate('DetachVolume', signal, () => {
        if (serverName === '') throw new Error('DetachVolume without InstanceId ends every attachment');
        const volume = this.#idle('DetachVolume', volumeId);
        const server = this.#server('DetachVolume', serverName);
        if (volume.attachments[0]?.serverUniqueId !== server.uniqueId) {
          throw refused('DetachVolume', 'Client.Inoperable.Volume.DetachedFromInstance');
        }
        volume.attachments = volume.attachments.map((one) => ({ ...one, status: 'detaching' }));
        this.#begin(volumeId, server.uniqueId, (one) => {
          one.status = 'available';
          one.attachments = [];
        });
      }),
    delete: (volumeId, signal) =>
      this.#mutate('DeleteVolume', signal, () => {
        const volume = this.#idle('DeleteVolume', volumeId);
        if (volume.attachments.length > 0) throw refused('DeleteVolume', 'Client.Inoperable.Volume.AttachedToInstance');
        volume.status = 'deleting'; // whichever word it is, no source says
        this.#begin(volumeId, '', () => this.#entries.delete(volumeId));
      }),
    extend: (volumeId, signal) =>
      this.#mutate('ExtendVolumeSize', signal, () => {
        const volume = this.#idle('ExtendVolumeSize', volumeId);
        const [attachment] = volume.attachments;
        if (attachment === undefined) throw refused('ExtendVolumeSize', 'Client.Inoperable.Volume.Detached');
        this.#refuseBlocked('ExtendVolumeSize', attachment.serverUniqueId);
        volume.attachments = volume.attachments.map((one) => ({ ...one, status: 'attaching' }));
        this.#begin(volumeId, attachment.serverUniqueId, (one) => {
          one.sizeGB += 100;
          one.attachments = one.attachments.map((each) => ({ ...each, status: 'attached' }));
        });
      }),
    setAccountingType: (volumeId, accountingType, signal) =>
      this.#mutate('ModifyVolumeAttribute', signal, () => {
        this.#idle('ModifyVolumeAttribute', volumeId).nextMonthAccountingType = accountingType;
      }),
  };

  #shown(): readonly Volume[] {
    for (const { transition } of this.#entries.values()) {
      if (transition !== undefined && transition.doneAtMs <= this.clock.monotonicMs()) transition.finish();
    }
    return [...this.#entries.values()].map(({ volume }) => ({ ...volume }));
  }

  async #mutate<T>(action: string, signal: AbortSignal, effect: () => T): Promise<T> {
    signal.throwIfAborted();
    return this.#call(action, () => {
      const before = new Map([...this.#entries].map(([id, { volume }]) => [id, { ...volume }]));
      const result = effect();
      const fate = this.fate(action);
      if (fate !== 'done') for (const [id, entry] of this.#entries) this.#takeBack(id, entry, before.get(id), fate);
      return result;
    });
  }

  #takeBack(id: string, entry: Entry, before: Changing | undefined, fate: 'undone' | 'unbegun'): void {
    if (entry.transition === undefined) return;
    const finish = (): void => {
      entry.transition = undefined;
      if (before === undefined) this.#entries.delete(id);
      else entry.volume = before;
    };
    const { server, doneAtMs } = entry.transition;
    entry.transition = { server, doneAtMs: doneAtMs + POLL_MS, finish }; // a look sees it in transition
    if (fate === 'unbegun') finish();
  }

  async #call<T>(action: string, effect: () => T): Promise<T> {
    this.calls.push(action);
    const callNumber = this.calls.length;
    await new Promise(setImmediate);
    this.fault(action, 'before', callNumber);
    this.#shown(); // what is due has happened by now
    const result = effect();
    this.fault(action, 'after', callNumber);
    return result;
  }

  #begin(volumeId: string, server: string, effect: (volume: Changing) => void): void {
    const entry = this.#entries.get(volumeId);
    if (entry === undefined) throw new Error(`no volume ${volumeId}`);
    const finish = (): void => {
      entry.transition = undefined;
      effect(entry.volume);
    };
    entry.transition = { server, doneAtMs: this.clock.monotonicMs() + TRANSITION_MS, finish };
  }

  #idle(action: string, volumeId: string): Changing {
    const entry = this.#entries.get(volumeId);
    if (entry === undefined) throw refused(action, 'Client.InvalidParameterNotFound.Volume');
    if (entry.transition !== undefined) throw refused(action, 'Server.ResourceIncorrectState.Volume.Processing');
    return entry.volume;
  }

  #server(action: string, name: string): Server {
    const server = this.#servers.get(name);
    if (server === undefined) throw refused(action, 'Client.InvalidParameterNotFound.Instance');
    const code = this.refusing.get(name);
    if (code !== undefined && action !== 'setup') throw refused(action, code);
    if (action !== 'setup' && action !== 'DescribeInstanceAttribute') this.#refuseBlocked(action, server.uniqueId);
    return server;
  }

  #refuseBlocked(action: string, serverUniqueId: string): void {
    const isBusy = [...this.#entries.values()].some(({ transition }) => transition?.server === serverUniqueId);
    if (this.blockedWith === undefined || !isBusy) return;
    this.refusals += 1;
    throw refused(action, this.blockedWith);
  }

  #freeSlot(action: string, server: Server): number {
    const taken = new Set(
      [...this.#entries.values()]
        .filter(({ volume }) => volume.attachments.some(({ serverUniqueId }) => serverUniqueId === server.uniqueId))
        .map(({ volume }) => slotOf(volume)),
    );
    const slot = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15].find((one) => !taken.has(one));
    if (slot === undefined) throw refused(action, 'Client.Inoperable.Instance.VolumeLimitExceeded');
    return slot;
  }

  #attachment(server: Server, status: string, slot = this.#freeSlot('setup', server)): Volume['attachments'][number] {
    return { serverName: server.name, serverUniqueId: server.uniqueId, status, device: `SCSI (0:${slot})` };
  }
}

function slotOf(volume: Volume): number {
  return Number(/:(\d+)\)/.exec(volume.attachments[0]?.device ?? '')?.[1]);
}
