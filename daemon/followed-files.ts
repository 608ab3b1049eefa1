import { readFile } from 'node:fs/promises';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** How often followed files are looked at, in ms. The kubelet takes about a minute to bring a changed Secret into a pod. */
const PERIOD_MS = 10_000;

/**
 * Looks every 10 s whether files were replaced, and hands over the texts of all of them when one was. Until the signal is aborted.
 * What can't be read, or what `use` throws at, is logged once and left aside until the files change again.
 *
 * @param texts what the files held when they were read last
 */
export async function followFiles(
  paths: readonly string[],
  texts: readonly string[],
  use: (texts: readonly string[]) => void,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  let last = JSON.stringify(texts);
  let readable = true;
  while (!signal.aborted) {
    await clock.sleep(PERIOD_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const now = await readTexts(paths);
      readable = true;
      if (JSON.stringify(now) === last) continue;
      last = JSON.stringify(now);
      use(now);
      logger.info('Files have changed and are used as they are now', { files: paths });
    } catch (error) {
      if (readable) logger.error('Changed files cannot be used, those of before are', error, { files: paths });
      readable = false;
    }
  }
}

export async function readTexts(paths: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(paths.map((path) => readFile(path, 'utf8')));
}
