import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';

/** A program of a Go module whose `go.mod` and `go.sum` this project pins. */
export interface GoProgram {
  readonly name: string;
  /** The folder with `go.mod` and `go.sum`. */
  readonly module: string;
  /** Its package. */
  readonly path: string;
  /** Values of string variables that the linker sets, by `package.name`. */
  readonly variables?: Readonly<Record<string, string>>;
}

/**
 * Answers where the program is. It is built into the user's cache folder where it is not there yet, anew whenever `go.mod` or `go.sum`
 * change.
 * @throws Error when there is no Go that can build it
 */
export async function goProgram({ name, module, path, variables = {} }: GoProgram): Promise<string> {
  const [mod = '', sum = ''] = await Promise.all(
    ['go.mod', 'go.sum'].map((file) => readFile(join(module, file), 'utf8')),
  );
  const key = createHash('sha256').update(`${mod}\0${sum}`).digest('hex').slice(0, 16);
  const folder = join(cacheFolder(), 'nifcloud-kubernetes', key);
  const program = join(folder, name);
  if (await isThere(program)) return program;
  await mkdir(folder, { recursive: true });
  // Under a name of its own until it is whole: two runs may build at once.
  const unfinished = `${program}.${process.pid}`;
  const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly -buildvcs=false' };
  const linked = Object.entries(variables).map(([variable, value]) => `-X ${variable}=${value}`);
  const args = ['build', '-trimpath', `-ldflags=${['-s -w', ...linked].join(' ')}`, '-o', unfinished, path];
  try {
    await promisify(execFile)('go', args, { cwd: module, env, maxBuffer: 2 ** 24 });
  } catch (cause) {
    const wanted = /^go (.+)$/m.exec(mod)?.[1];
    const { message } = cause as Error;
    throw new Error(`${name} needs Go ${wanted}, or 1.21 and newer to fetch that: ${message}`, { cause });
  }
  await rename(unfinished, program);
  return program;
}

/** Whether a file can be run. */
export async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

/** By the XDG base directory specification, which lets relative paths be ignored. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME: chosen = '' } = process.env;
  return isAbsolute(chosen) ? chosen : join(homedir(), '.cache');
}
