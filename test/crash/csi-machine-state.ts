import { readFileSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FakeMachine } from '../unit/csi/node/fake-machine.ts';
import type { Call } from './gate.ts';

/** The UUID of our file systems is made of the unique id of a disk, which each life has another of. */
const OUR_UUID = /^6e696663-[\da-f-]{27}$/;

/** Of a record: it names what is different after each boot, or in each run. */
const VOLATILE = ['device', 'number', 'bootId'];

interface Mounted {
  /** `undefined` = of no disk that the kernel has. */
  readonly disk: string | undefined;
  readonly point: string;
  readonly options: string;
}

/** What there is on a fake machine. It is looked at at once, between two steps of a program in this process. */
export class MachineState {
  readonly #machine: FakeMachine;
  readonly #kubelet: string;

  /** @param kubelet the kubelet's folder */
  constructor(machine: FakeMachine, kubelet: string) {
    this.#machine = machine;
    this.#kubelet = kubelet;
  }

  /** Everything, as text that differs whenever what matters does. */
  get lines(): readonly string[] {
    const { home, stateDir } = this.#machine;
    const records = readdirSync(stateDir).filter((file) => file.endsWith('.json'));
    const disks = readdirSync(join(home, 'disks')).filter((disk) => !disk.startsWith('ghost-'));
    const devices = Object.entries(this.#machine.devices());
    return [
      ...records.map((file) => `record ${this.#withoutRuns(recordText(join(stateDir, file)))}`),
      ...this.#mounts().map(({ disk, point, options }) => `mount of ${disk} at ${point} ${options}`),
      ...devices.map(([slot, name]) => `device in slot ${slot}: ${this.#diskOfDevice(name)}`),
      ...disks.map((disk) => `disk ${disk}: ${traitsOf(this.#diskFolder(disk))}`),
      ...readdirSync(this.#kubelet, { encoding: 'utf8', recursive: true }).map((path) => `path ${path}`),
    ];
  }

  /** Disks that something is mounted from. */
  get mounted(): readonly (string | undefined)[] {
    return this.#mounts().map(({ disk }) => disk);
  }

  /** The disk of the device that a command works on. */
  diskOf({ text }: Call): string | undefined {
    const name = /\/dev\/(sd[a-z]+)(?: |$)/.exec(text)?.[1];
    return name === undefined ? undefined : this.#diskOfDevice(name);
  }

  /** Puts something on a disk that must outlive everything. */
  async writeData(disk: string): Promise<void> {
    await writeFile(join(this.#diskFolder(disk), 'data'), 'precious');
  }

  hasData(disk: string): boolean {
    return readText(join(this.#diskFolder(disk), 'data')) === 'precious';
  }

  #mounts(): readonly Mounted[] {
    const { root } = this.#machine;
    const folder = join(root, 'sys/class/block');
    const names = new Map(readdirSync(folder).map((name) => [readText(join(folder, name, 'dev')), name]));
    const rows = readText(join(root, 'proc/self/mountinfo')).split('\n').slice(1);
    return rows.map((row) => {
      const [, , number = '', , point = '', options = ''] = row.split(' ');
      const name = names.get(number);
      return { disk: name && this.#diskOfDevice(name), point: this.#withoutRuns(point), options };
    });
  }

  #diskOfDevice(name: string): string {
    const folder = readText(join(this.#machine.root, 'sys/class/block', name, 'disk'));
    return folder.split('/').at(-1) ?? '';
  }

  #diskFolder(disk: string): string {
    return join(this.#machine.home, 'disks', disk);
  }

  #withoutRuns(text: string): string {
    return text.replaceAll(/\/runs\/\d+\//g, '/').replaceAll(`${this.#machine.home}/`, '');
  }
}

function recordText(file: string): string {
  const record = JSON.parse(readText(file)) as Readonly<Record<string, unknown>>;
  return JSON.stringify(Object.fromEntries(Object.entries(record).filter(([key]) => !VOLATILE.includes(key))));
}

function traitsOf(folder: string): string {
  const traits = readdirSync(folder).map((trait) => [trait, readText(join(folder, trait)).replace(OUR_UUID, 'ours')]);
  return traits
    .map((trait) => trait.join('='))
    .toSorted()
    .join(' ');
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
