import { cp, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BUNDLE } from '../scripts/bundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Builds a program into a folder and answers the image's command for it (Dockerfile, image/bin).
 * @param main the program's first file, from the project's root
 */
export async function imageCommand(folder: string, program: string, main: string): Promise<string> {
  const app = join(folder, 'app');
  const entryPoints = { [program]: join(ROOT, main) };
  await build({ entryPoints, outdir: join(app, 'dist'), ...BUNDLE, logLevel: 'error' });
  for (const file of ['package.json', 'proto/csi.proto']) await cp(join(ROOT, file), join(app, file));
  const command = join(folder, 'command');
  const script = await readFile(join(ROOT, 'image/bin', program), 'utf8');
  await writeFile(command, script.replaceAll('/app/', `${app}/`), { mode: 0o755 });
  return command;
}

/** The environment of a program as the image starts it, on this Node. */
export function imageEnvironment({
  PATH = process.env['PATH'],
  ...env
}: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return { ...env, PATH: [dirname(process.execPath), PATH].join(delimiter) };
}

/** Of a process, by the kernel's count. */
export interface Memory {
  readonly rss: number;
  /** The most so far. */
  readonly peak: number;
  /** What no other process shares. */
  readonly private: number;
}

/** In millions of bytes. */
export async function memoryMB(pid: number | undefined): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(text)?.[1]) * 1_024) / 1_000_000;
  return { rss: megabytes('VmRSS'), peak: megabytes('VmHWM'), private: megabytes('RssAnon') };
}
