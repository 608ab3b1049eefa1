import type { Server, ServerDisk } from '../../nifcloud/servers.ts';
import type { Attachment, Volume } from '../../nifcloud/volumes.ts';

export type { Attachment, Server, Volume };

/** What the controller asks of the cloud; `Nifcloud` has all of it, tests hand in a working model. */
export interface Cloud {
  readonly servers: {
    list(signal: AbortSignal): Promise<readonly Server[]>;
    disks(
      serverName: string,
      signal: AbortSignal,
    ): Promise<{ readonly serverUniqueId: string; readonly disks: readonly ServerDisk[] }>;
  };
  readonly volumes: {
    /** All disks of the region: one unknown name would fail a filtered read as a whole. */
    list(signal: AbortSignal): Promise<readonly Volume[]>;
    /** The shared ticker; `accept` sees `undefined` when the disk is gone. */
    until<T extends object>(
      volumeId: string,
      accept: (volume: Volume | undefined) => T | undefined,
      signal: AbortSignal,
    ): Promise<T>;
    create(
      wanted: {
        readonly id: string;
        readonly sizeGB: number;
        readonly diskType: string;
        readonly accountingType: string;
        readonly description: string;
        readonly serverName: string;
      },
      signal: AbortSignal,
    ): Promise<object>;
    attach(
      wanted: { readonly volumeId: string; readonly serverName: string },
      signal: AbortSignal,
    ): Promise<{ readonly serverUniqueId: string; readonly volumeUniqueId: string }>;
    /** Never without the server's name: the cloud would take that as "from all servers" (docs/reference/nifcloud-api.md §3.5). */
    detach(wanted: { readonly volumeId: string; readonly serverName: string }, signal: AbortSignal): Promise<unknown>;
    delete(volumeId: string, signal: AbortSignal): Promise<unknown>;
    /** Adds 100 GB. Not idempotent. */
    extend(volumeId: string, signal: AbortSignal): Promise<unknown>;
    /** `1` monthly, `2` hourly; holds from next month on. */
    setAccountingType(volumeId: string, accountingType: string, signal: AbortSignal): Promise<unknown>;
  };
}

/** A server as attachments know it: the name can change hands, the unique id cannot. */
export interface ServerRef {
  readonly name: string;
  readonly uniqueId: string;
}
