import type { Hosts } from '../../../../simulator/nifcloud/hosts/hosts.ts';

const GIB = 2 ** 30;

/** Remembers what was done to servers and disks; fails and waits where it was told to. */
export class RecordingHosts implements Hosts {
  readonly done: string[] = [];
  /** What begins like this fails. */
  failing = '';
  /** What begins like this is remembered at once, and done when this resolves. */
  slow: { readonly what: string; readonly until: Promise<void> } = { what: '-', until: Promise.resolve() };
  /** Whether Linux uses the disks that are pulled out. */
  inUse = false;
  readonly #disks = new Set<string>();
  readonly #removed = new Set<string>();

  addServer = async (server: { uniqueId: string }): Promise<string> => `/hosts/${server.uniqueId}`;
  powerOn = (server: string): Promise<void> => this.#note(`on ${server}`);
  powerOff = (server: string, { clean }: { clean: boolean }): Promise<void> =>
    this.#note(`${clean ? 'shut down' : 'cut'} ${server}`);
  removeServer = (server: string): Promise<void> => {
    this.#removed.add(server);
    return this.#note(`remove ${server}`);
  };
  hasDisk = async (disk: string): Promise<boolean> => this.#disks.has(disk);
  createDisk = async (disk: string, bytes: number, { zeroed } = { zeroed: true }): Promise<void> => {
    await this.#note(`create ${bytes / GIB} GiB${zeroed ? '' : ' of garbage'}`);
    if (this.#disks.has(disk)) throw new Error(`there is a disk ${disk}`);
    this.#disks.add(disk);
  };
  attach = async (server: string, slot: number): Promise<void> => {
    if (this.#removed.has(server)) throw new Error(`no server ${server}`);
    await this.#note(`attach ${server} ${slot}`);
  };
  detach = async (server: string, slot: number): Promise<boolean> => {
    await this.#note(`detach ${server} ${slot}`);
    return this.inUse;
  };
  grow = (_: string, bytes: number): Promise<void> => this.#note(`grow ${bytes / GIB} GiB`);
  deleteDisk = async (disk: string): Promise<void> => {
    await this.#note('delete');
    this.#disks.delete(disk);
  };
  stop = async (): Promise<void> => {};

  async #note(what: string): Promise<void> {
    if (this.failing !== '' && what.startsWith(this.failing)) throw new Error(`can't ${what}`);
    this.done.push(what);
    if (what.startsWith(this.slow.what)) await this.slow.until;
  }
}
