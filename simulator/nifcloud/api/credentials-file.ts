import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';
import { UsageError } from '../../../daemon/flags.ts';
import type { Logger } from '../../../daemon/logger.ts';
import type { Credentials } from './signature.ts';

/**
 * The keys of a file: a YAML or JSON list of `{accessKeyId, secretAccessKey}`. Several are accepted side by side, and the file is
 * read again when it has changed, so that a rotation of keys can be tried. While it can not be read, the last keys hold.
 */
export class CredentialsFile {
  readonly #file: string;
  readonly #logger: Logger;
  /** The version of the file that was looked at last. */
  #version: string;
  #keys: readonly Credentials[];

  /** @throws UsageError when the file can not be read; its message has nothing of the content */
  constructor(file: string, logger: Logger) {
    this.#file = file;
    this.#logger = logger;
    this.#version = versionOf(file);
    this.#keys = readKeys(file);
  }

  /** The keys that the file holds now; at least one. */
  keys(): readonly Credentials[] {
    const version = versionOf(this.#file);
    if (version === this.#version) return this.#keys;
    this.#version = version;
    try {
      this.#keys = readKeys(this.#file);
      this.#logger.info('The keys were read anew', { file: this.#file, keys: this.#keys.length });
    } catch (error) {
      this.#logger.error('The keys stay as they were', error, { file: this.#file });
    }
    return this.#keys;
  }
}

/** Changes whenever the file does, also when another takes its place. */
function versionOf(file: string): string {
  const seen = statSync(file, { throwIfNoEntry: false });
  return seen === undefined ? 'missing' : `${seen.ino} ${seen.size} ${seen.mtimeMs}`;
}

function readKeys(file: string): readonly Credentials[] {
  const text = readText(file);
  let data: unknown;
  try {
    data = parse(text);
  } catch {
    // What the parser complains about may be a secret.
    data = undefined;
  }
  if (Array.isArray(data) && data.length > 0 && data.every(isCredentials)) return data;
  throw new UsageError(
    `${file}: not a YAML or JSON list of {accessKeyId, secretAccessKey}, each a text that is not empty`,
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`${file}: ${String(cause)}`, { cause });
  }
}

function isCredentials(item: unknown): item is Credentials {
  const { accessKeyId, secretAccessKey, ...others } = (item ?? {}) as Record<string, unknown>;
  const texts = [accessKeyId, secretAccessKey];
  return Object.keys(others).length === 0 && texts.every((text) => typeof text === 'string' && text !== '');
}
