import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Clock } from '../../daemon/clock.ts';
import type { Hosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import { HANDLE } from './csi-life.ts';
import { FakeMachine } from '../unit/csi/node/fake-machine.ts';
import { machineHosts } from './csi-machine-hosts.ts';
import { MachineState } from './csi-machine-state.ts';
import { CsiService, type Answer } from './csi-program.ts';
import type { Moment } from './crash-world.ts';
import type { Call } from './gate.ts';
import { isLong, ToolGate } from './tool-gate.ts';

const TOOLS = join(import.meta.dirname, '../unit/csi/node/tools');

const LOST: Answer = { code: status.UNAVAILABLE, text: 'the process died' };

/** What a moment of a command does to who runs it, or to the command: it fails without or after having done its work. */
type Verdict = 'killed' | 'lost' | void;

/** The exit code of what was killed with SIGKILL. */
const KILLED = 137;

/** Some commands' time. */
const REST_MS = 25;

/** Longer sleeps are of what comes now and then: they never end. */
const LONGEST_PAUSE_MS = 60_000;

interface Run {
  readonly service: CsiService;
  readonly door: string;
  readonly death: AbortController;
}

/**
 * The machine of one server of a simulated cloud, and the node server on it, in this process.
 *
 * All that a run of the node server knows of the machine leads through a folder of links of its own. When it is killed, these go: of what
 * its code still does, nothing reaches the machine. Its clock stands still then, and its commands end without having run.
 */
export class CsiMachine {
  /** What the simulator does with this server's disks. */
  readonly hosts: Hosts;
  readonly state: MachineState;
  /** Told of all that is done to disks. */
  onWork: (work: Promise<unknown>) => void = () => {};
  /** Told of each moment of the commands, and of the pauses in which the kernel acts, since `count`. */
  onMoment: (moment: Moment, call: Call) => Verdict = () => {};
  readonly calls: Call[] = [];
  readonly #machine: FakeMachine;
  readonly #log: (line: string) => void;
  #gate: ToolGate | undefined;
  #run: Run | undefined;
  #runs = 0;
  /** Commands that go on although who started them was killed. */
  readonly #orphans = new Set<Promise<void>>();
  #held = Promise.withResolvers<void>();

  private constructor(machine: FakeMachine, serverUniqueId: string, log: (line: string) => void) {
    this.#machine = machine;
    this.#log = log;
    this.state = new MachineState(machine, this.kubelet);
    this.hosts = machineHosts(machine, serverUniqueId, this.state, (work) => this.onWork(work));
  }

  static async boot(serverUniqueId: string, log: (line: string) => void): Promise<CsiMachine> {
    const fake = await FakeMachine.boot();
    const machine = new CsiMachine(fake, serverUniqueId, log);
    const tools = (await readdir(TOOLS)).filter((name) => !name.endsWith('.sh'));
    machine.#gate = await ToolGate.open(join(fake.home, 'gate'), tools, {
      leaves: (call) => machine.#leaves(call),
      returns: (call, exitCode) => machine.#returns(call, exitCode),
    });
    process.env['PATH'] = `${machine.#gate.folder}:${process.env['PATH']}`;
    Object.assign(process.env, machine.#gate.environment);
    for (const folder of [machine.kubelet, fake.stateDir]) await mkdir(folder, { recursive: true });
    return machine;
  }

  async stop(): Promise<void> {
    this.kill();
    this.#held.resolve();
    await Promise.all(this.#orphans);
    await this.#machine.stop();
    this.#gate?.close();
    for (const name of Object.keys(this.#gate?.environment ?? {})) delete process.env[name];
  }

  /** What `/var/lib/kubelet` is on a real node. */
  get kubelet(): string {
    return join(this.#machine.home, 'kubelet');
  }

  count(): void {
    this.calls.splice(0);
  }

  // ---- the node server

  /**
   * One call of the node server, which is started if none runs.
   * @param request made of the path at which this run sees the kubelet's folder
   */
  async call(rpc: string, request: (kubelet: string) => object, signal: AbortSignal): Promise<Answer> {
    const { service, door, death } = (this.#run ??= await this.#start());
    const dead = new Promise<Answer>((resolve) => {
      death.signal.addEventListener('abort', () => resolve(LOST));
    });
    return await Promise.race([service.call(rpc, request(join(door, 'kubelet')), signal), dead]);
  }

  /** Lets time pass for the kernel. */
  async pass(delayMs: number): Promise<void> {
    await this.#machine.sleep(delayMs);
  }

  /** What is still under way comes to its end: commands of runs that were killed, and work whose caller has gone. */
  async comesToRest(): Promise<void> {
    this.#held.resolve();
    this.#held = Promise.withResolvers();
    await Promise.all(this.#orphans);
    // Commands are processes: they take real time.
    await pause(REST_MS);
  }

  kill(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    for (const link of DOORS) unlinkSync(join(run.door, link));
    // A command that goes on still has its disk.
    mkdirSync(join(run.door, 'host'));
    symlinkSync(join(this.#machine.root, 'dev'), join(run.door, 'host/dev'));
    // As if it had been saving a record.
    writeFileSync(join(this.#machine.stateDir, `${HANDLE}.json.new`), '{"volumeId":"');
    run.death.abort(new Error('killed'));
  }

  async #start(): Promise<Run> {
    const door = join(this.#machine.home, 'runs', String(++this.#runs));
    await mkdir(door, { recursive: true });
    await symlink(this.#machine.root, join(door, 'host'));
    await symlink(this.#machine.stateDir, join(door, 'state'));
    await symlink(this.kubelet, join(door, 'kubelet'));
    // The paths of an earlier run mean the same as those of this one.
    for (const record of await readdir(this.#machine.stateDir)) {
      const path = join(this.#machine.stateDir, record);
      await writeFile(path, (await readFile(path, 'utf8')).replaceAll(/\/runs\/\d+(?=\/)/g, `/runs/${this.#runs}`));
    }
    const death = new AbortController();
    const { signal } = death;
    const flags = ['--mode=node', `--host-root=${join(door, 'host')}`, `--state-dir=${join(door, 'state')}`];
    const surroundings = { clock: this.#clockUntil(signal), signal, log: this.#log };
    const env = { NODE_NAME: 'node01', NIFCLOUD_ZONE: 'east-11' };
    return { service: await CsiService.start('Node', flags, env, surroundings), door, death };
  }

  /** The machine's clock: its kernel acts while somebody sleeps. It stands still for who is dead. */
  #clockUntil(dead: AbortSignal): Clock {
    const never = new Promise<never>(() => undefined);
    return {
      now: () => this.#machine.now(),
      monotonicMs: () => this.#machine.monotonicMs(),
      sleep: async (delayMs, signal) => {
        const call: Call = { api: 'linux', text: 'pause', mutating: false, isAside: false };
        if (dead.aborted) await never;
        if (delayMs > LONGEST_PAUSE_MS)
          return await new Promise((_, reject) => {
            signal?.addEventListener('abort', () => reject(signal.reason as Error));
          });
        const number = this.calls.push(call);
        if (this.#at({ call: number, side: 'before' }, call) === 'killed') await never;
        await this.#machine.sleep(delayMs, signal);
        if (dead.aborted || this.#at({ call: number, side: 'after' }, call) === 'killed') await never;
      },
    };
  }

  // ---- its commands

  async #leaves(call: Call): Promise<'run' | number> {
    if (!this.#isOfTheLiving(call)) return KILLED;
    const number = this.calls.push(call);
    const verdict = this.#at({ call: number, side: 'before' }, call);
    if (verdict !== undefined) return verdict === 'killed' ? KILLED : 1;
    const disk = this.state.diskOf(call);
    if (call.text.startsWith('mkfs') && disk !== undefined) {
      if (this.#at({ call: number, side: 'midway' }, call) === 'killed') {
        await this.#machine.change(disk, { 'mkfs-dies': '' });
        this.#afterwards.set(call, () => this.#machine.change(disk, { 'mkfs-dies': undefined }));
        return 'run';
      }
    }
    if (isLong(call) && this.#at({ call: number, side: 'during' }, call) === 'killed') {
      // It has a session of its own, and goes on.
      const ended = Promise.withResolvers<void>();
      this.#orphans.add(ended.promise);
      this.#afterwards.set(call, () => (this.#orphans.delete(ended.promise), ended.resolve()));
      await this.#held.promise;
    }
    return 'run';
  }

  /** What is to be done when a command ends that was not killed with who started it. */
  readonly #afterwards = new Map<Call, () => unknown>();

  async #returns(call: Call, exitCode: number): Promise<number> {
    await this.#afterwards.get(call)?.();
    const number = this.calls.indexOf(call) + 1;
    if (number === 0 || !this.#isOfTheLiving(call)) return exitCode;
    return this.#at({ call: number, side: 'after' }, call) === 'lost' ? 1 : exitCode;
  }

  #at(moment: Moment, call: Call): Verdict {
    const verdict = this.onMoment(moment, call);
    if (verdict === 'killed') this.kill();
    return verdict;
  }

  /** The paths of a command lead through the door of its run. */
  #isOfTheLiving({ text }: Call): boolean {
    const door = /\S*\/runs\/\d+(?=\/)/.exec(text)?.[0];
    return this.#run !== undefined && (door === undefined || door.endsWith(this.#run.door));
  }
}

/** The links through which a run sees the machine. */
const DOORS = ['host', 'state', 'kubelet'];
