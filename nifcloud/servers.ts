import { isNotFound } from './errors.ts';
import { numbered, type Parameters } from './parameters.ts';
import { SharedPoll, steady } from './shared-poll.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock, Logger } from './surroundings.ts';
import type { Api } from './transport.ts';
import type { XmlElement } from './xml.ts';

/** A server, as DescribeInstances shows it. Texts that the cloud leaves empty are `''`. */
export interface Server {
  /** `InstanceId`: chosen by the user, can be changed. */
  readonly name: string;
  /** `InstanceUniqueId`, such as `i-0k843qvm`: never changes. */
  readonly uniqueId: string;
  /** Such as `east-11`. */
  readonly zone: string;
  /** Such as `e-medium8`. */
  readonly type: string;
  /**
   * `running`, `stopped`, or `pending` while it starts, stops or is changed. Others are known by name only (`warning`, `waiting`,
   * `suspending`, …): such a server exists and counts as not shut down. Source: docs/reference/nifcloud-api.md §2.3, §11 16.
   */
  readonly state: string;
  readonly privateAddress: string;
  readonly publicAddress: string;
  /** Of the server and all its interfaces, each once; absent = none. */
  readonly ipv6?: { readonly private: readonly string[]; readonly public: readonly string[] };
  /** Names. */
  readonly firewallGroups: readonly string[];
  readonly interfaces: readonly ServerInterface[];
}

/** A server's place in a network. Either address may be `''`: those on private LANs are often known to the guest alone (§11, 15). */
interface ServerInterface {
  /** `net-COMMON_GLOBAL`, `net-COMMON_PRIVATE`, or the id of a private LAN. */
  readonly networkId: string;
  /** Of a private LAN; else `''`. */
  readonly networkName: string;
  readonly privateAddress: string;
  readonly publicAddress: string;
}

/** A disk in a server's SCSI bus; the system disk has slot 0. */
export interface ServerDisk {
  /** N of `SCSI (0:N)`; NaN when the cloud's text names no slot. */
  readonly slot: number;
  /** As the cloud writes it. */
  readonly device: string;
  readonly volumeId: string;
  readonly volumeUniqueId: string;
  readonly status: string;
}

/** In which load balancers a server is: with hundreds of those it would be most of the answer. */
const MEMBERSHIPS: readonly string[] = ['loadbalancing', 'niftyelasticloadbalancing'];

/** The servers of the region. */
export class Servers {
  readonly #api: Api;
  readonly #logger: Logger;
  readonly #list: SharedRead<readonly Server[]>;
  readonly #poll: SharedPoll<Server>;

  constructor(api: Api, clock: Clock, logger: Logger, pollIntervalMs: number) {
    this.#api = api;
    this.#logger = logger;
    const parse = (answer: XmlElement): readonly Server[] => parseServers(answer, logger);
    this.#list = new SharedRead((signal) => api.read('DescribeInstances', {}, parse, signal, MEMBERSHIPS), clock);
    const look = async (_names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Server>> =>
      new Map((await this.list(signal)).map((server) => [server.uniqueId, server]));
    this.#poll = new SharedPoll(look, clock, steady(pollIntervalMs));
  }

  /**
   * All servers, in one call that is shared with whoever asks at the same moment. Never filtered: one unknown name fails a
   * filtered call as a whole. An entry that lacks its name or unique id is left out.
   */
  list(signal: AbortSignal): Promise<readonly Server[]> {
    return this.#list.get(signal);
  }

  /**
   * One server, in a call for it alone: where it has to be certain that none has this name. For all else `list` is cheaper.
   *
   * @returns `undefined` = the cloud says that there is none
   * @throws NifcloudError; Error when the answer neither shows the server nor says that it does not exist
   */
  async find(serverName: string, signal: AbortSignal): Promise<Server | undefined> {
    const parse = (answer: XmlElement): readonly Server[] => parseServers(answer, this.#logger);
    try {
      const shown = await this.#api.read('DescribeInstances', numbered('InstanceId', [serverName]), parse, signal);
      const server = shown.find(({ name }) => name === serverName);
      if (server !== undefined) return server;
    } catch (error) {
      if (isNotFound(error, 'Instance')) return undefined;
      throw error;
    }
    throw new Error(`DescribeInstances neither shows server ${serverName} nor says that it does not exist`);
  }

  /**
   * Waits until a server is as `accept` wants it; all who wait share one listing a tick (see SharedPoll).
   *
   * @param uniqueId names can change hands while one waits
   * @param accept is shown the server, `undefined` = the listing does not show it (see `list`); what it returns ends the wait, what it
   *   throws too
   */
  until<R>(uniqueId: string, accept: (server: Server | undefined) => R | undefined, signal: AbortSignal): Promise<R> {
    return this.#poll.until(uniqueId, accept, signal);
  }

  /**
   * Begins to start a stopped server; wait until it is `running`. What the cloud says of one that runs is not known (§11, 17).
   *
   * @throws NifcloudError; `isNotFound(error, 'Instance')` = no server has this name
   */
  start(serverName: string, signal: AbortSignal): Promise<void> {
    return this.#mutate('StartInstances', serverName, {}, signal);
  }

  /**
   * Begins to stop a running server; wait until it is `stopped`.
   *
   * @param options `force`: switch it off instead of asking its system to shut down; the cloud may refuse that
   * @throws NifcloudError; `isNotFound(error, 'Instance')` = no server has this name; see `isProcessingFailure`
   */
  stop(serverName: string, options: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    return this.#mutate('StopInstances', serverName, { Force: options.force }, signal);
  }

  /** Begins to restart a running server: it becomes `pending`, then `running`. @param options as for `stop` */
  reboot(serverName: string, options: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    return this.#mutate('RebootInstances', serverName, { Force: options.force }, signal);
  }

  /**
   * The disks in a server's slots; DescribeInstances does not show them.
   *
   * @throws NifcloudError; `isNotFound(error, 'Instance')` = no server has this name
   */
  disks(
    serverName: string,
    signal: AbortSignal,
  ): Promise<{ readonly serverUniqueId: string; readonly disks: readonly ServerDisk[] }> {
    const parameters = { InstanceId: serverName, Attribute: 'blockDeviceMapping' };
    return this.#api.read('DescribeInstanceAttribute', parameters, parseDisks, signal);
  }

  async #mutate(action: string, serverName: string, parameters: Parameters, signal: AbortSignal): Promise<void> {
    await this.#api.mutate(action, { ...numbered('InstanceId', [serverName]), ...parameters }, () => {}, signal);
  }
}

/** An entry without name or unique id is left out, so that one odd server does not hide all others (docs/reference/ccm.md E7, 22). */
function parseServers(answer: XmlElement, logger: Logger): readonly Server[] {
  const servers: Server[] = [];
  let skipped = 0;
  for (const reservation of answer.items('reservationSet')) {
    const firewallGroups = reservation.items('groupSet').map((group) => group.text('groupId'));
    const instances = reservation.items('instancesSet');
    if (instances.length === 0) skipped += 1;
    for (const instance of instances) {
      const server = parseServer(instance, firewallGroups);
      if (server.name === '' || server.uniqueId === '') skipped += 1;
      else servers.push(server);
    }
  }
  if (skipped > 0) logger.debug(2, 'DescribeInstances has entries without a server', { skipped });
  return servers;
}

function parseServer(instance: XmlElement, firewallGroups: readonly string[]): Server {
  const interfaces = instance.items('networkInterfaceSet');
  const ipv6 = {
    private: known([instance, ...interfaces].map((one) => one.text('privateIpAddressV6'))),
    public: known([
      instance.text('ipAddressV6'),
      ...interfaces.map((one) => one.child('association').text('publicIpV6')),
    ]),
  };
  return {
    name: instance.text('instanceId'),
    uniqueId: instance.text('instanceUniqueId'),
    zone: instance.child('placement').text('availabilityZone'),
    type: instance.text('instanceType'),
    state: instance.child('instanceState').text('name'),
    privateAddress: instance.text('privateIpAddress'),
    publicAddress: instance.text('ipAddress'),
    ...(ipv6.private.length + ipv6.public.length > 0 && { ipv6 }),
    firewallGroups,
    interfaces: interfaces.map((one) => ({
      networkId: one.text('niftyNetworkId'),
      networkName: one.text('niftyNetworkName'),
      privateAddress: one.text('privateIpAddress'),
      publicAddress: one.child('association').text('publicIp'),
    })),
  };
}

/** Each once, without the empty ones. */
function known(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].filter((text) => text !== '');
}

function parseDisks(answer: XmlElement): { readonly serverUniqueId: string; readonly disks: readonly ServerDisk[] } {
  const disks = answer.items('blockDeviceMapping').map((mapping) => {
    const ebs = mapping.child('ebs');
    const device = mapping.text('deviceName');
    return {
      slot: slotOf(device),
      device,
      volumeId: ebs.text('volumeId'),
      volumeUniqueId: ebs.text('volumeUniqueId'),
      status: ebs.text('status'),
    };
  });
  return { serverUniqueId: answer.requiredText('instanceUniqueId'), disks };
}

/** `SCSI (0:3)` → 3; some answers leave the blank out (docs/reference/nifcloud-api.md §2.4). */
function slotOf(device: string): number {
  const slot = /^SCSI\s*\(\d+:(\d+)\)$/.exec(device)?.[1];
  return slot === undefined ? Number.NaN : Number(slot);
}
