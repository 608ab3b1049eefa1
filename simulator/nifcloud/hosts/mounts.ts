import { lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { runTool } from './tool.ts';

/** The mounts of a server's Linux, by the number of their device: file systems and binds of their folders alike. */
export interface Mounts {
  isMounted(number: string): Promise<boolean>;
  /** Writes to the disk what was written to the file system. */
  sync(number: string): Promise<void>;
  /** Ends all mounts of a device. Programs keep what they have open there. */
  end(number: string): Promise<void>;
}

/** Where the servers' mounts are mounts of this machine: those that this process can see. */
export function machineMounts(): Mounts {
  return {
    isMounted: async (number) => (await pointsOf(number)).length > 0,
    sync: async (number) => {
      const [point] = await pointsOf(number);
      if (point !== undefined) await runTool('sync', '-f', point);
    },
    end: async (number) => {
      for (const point of (await pointsOf(number)).toReversed()) {
        await runTool('umount', '--lazy', point).catch(() => undefined); // propagation, or its user, was faster
      }
    },
  };
}

/** Oldest first. */
async function pointsOf(number: string): Promise<readonly string[]> {
  const mounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  return mounts.filter((mount) => mount.number === number).map(({ point }) => point);
}

/** Mounts that are only recorded, in a `mountinfo` of the server's own; a link stands at each mount point (demo/shims). */
export function recordedMounts(mountInfo: string): Mounts {
  const read = (): Promise<string> => readFile(mountInfo, 'utf8');
  return {
    isMounted: async (number) => parseMounts(await read()).some((mount) => mount.number === number),
    sync: async () => undefined,
    end: async (number) => {
      const mounts = parseMounts(await read());
      const staying = mounts.filter((mount) => mount.number !== number).map(({ line }) => `${line}\n`);
      for (const { point } of mounts.filter((mount) => mount.number === number).toReversed()) {
        const found = await lstat(point).catch(() => undefined);
        if (found?.isSymbolicLink() !== true) continue;
        await rm(point);
        await mkdir(point);
      }
      await writeFile(`${mountInfo}.new`, staying.join(''));
      await rename(`${mountInfo}.new`, mountInfo);
    },
  };
}

/** The lines of a mountinfo with their third and fifth field, oldest first (docs/reference/csi.md D.3). */
function parseMounts(
  text: string,
): readonly { readonly line: string; readonly number: string; readonly point: string }[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [, , number = '', , point = ''] = line.split(' ');
    return { line, number, point: unescapeOctal(point) };
  });
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
