import { readFileSync } from 'node:fs';
import { sameCredentials, type Credentials } from './sign.ts';
import type { Clock, Logger } from './surroundings.ts';

/**
 * The keys to sign a request with. Asked at each request, since keys may be rotated under a running process.
 *
 * @param refused what the cloud has just refused: the time to look for newer ones
 */
export type CredentialSource = (refused?: Credentials) => Credentials;

/** Paths of files that hold one key each; blanks around it, such as a final newline, don't count. */
interface CredentialFiles {
  readonly accessKeyIdFile: string;
  readonly secretAccessKeyFile: string;
}

/** The files are looked at no more often than this, in ms, except when the cloud refused the keys. Our choice. */
const LOOK_MS = 2_000;

/** Where a process has its keys from. */
export type CredentialOrigin = Credentials | CredentialFiles;

/** @throws Error when there are no keys in the files */
export function credentialSource(origin: CredentialOrigin, surroundings: Surroundings): CredentialSource {
  return 'accessKeyId' in origin ? () => origin : credentialsInFiles(origin, surroundings);
}

interface Surroundings {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Keys in files that are replaced when they are rotated, such as those of a mounted Secret.
 *
 * - New keys are used once two looks in a row have found the same: one look may fall between the two files, or find one half-written.
 * - When the cloud refuses the keys in use, what the files hold is used at once; there is nothing to lose.
 * - While a file is missing, unreadable or empty, the last keys stay in use; the log says so once.
 */
function credentialsInFiles(files: CredentialFiles, { clock, logger }: Surroundings): CredentialSource {
  let current = readBoth(files);
  let found: Credentials | undefined = current;
  let lookedAtMs = clock.monotonicMs();
  let isMissing = false;

  function look(): Credentials | undefined {
    lookedAtMs = clock.monotonicMs();
    try {
      const both = readBoth(files);
      isMissing = false;
      return both;
    } catch (error) {
      const wasMissing = isMissing;
      isMissing = true;
      if (!wasMissing)
        logger.warn('The NIFCLOUD keys cannot be read, the last ones stay in use', { err: String(error) });
      return undefined;
    }
  }

  return (refused) => {
    const isRefused = refused !== undefined && sameCredentials(refused, current);
    if (!isRefused && clock.monotonicMs() - lookedAtMs < LOOK_MS) return current;
    const before = found;
    found = look();
    if (found === undefined || sameCredentials(found, current)) return current;
    if (isRefused || (before !== undefined && sameCredentials(found, before))) {
      current = found;
      logger.info('The NIFCLOUD keys were rotated');
    }
    return current;
  };
}

function readBoth(files: CredentialFiles): Credentials {
  return { accessKeyId: readKey(files.accessKeyIdFile), secretAccessKey: readKey(files.secretAccessKeyFile) };
}

function readKey(file: string): string {
  const key = readFileSync(file, 'utf8').trim();
  if (key === '') throw new Error(`${file} is empty`);
  return key;
}
