import { UsageError } from './flags.ts';
import { describeError } from './logger.ts';

/** The environment of a process; a parameter, so that tests hand in their own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UsageError naming the variable when it is missing or empty. */
export function requiredEnvironment(environment: Environment, name: string): string {
  const value = environment[name];
  if (value === undefined || value === '') throw new UsageError(`environment variable ${name} is not set; see --help`);
  return value;
}

/** Keys of the cloud API: themselves, or files that hold one each and may be replaced while the process runs. */
type CloudKeys =
  | { readonly accessKeyId: string; readonly secretAccessKey: string }
  | { readonly accessKeyIdFile: string; readonly secretAccessKeyFile: string };

/** How the cloud API is reached. */
export interface CloudSettings {
  readonly region: string;
  /** `undefined` = the region's own. */
  readonly endpoint: string | undefined;
  readonly keys: CloudKeys;
}

/** Names and meanings of the variables that `cloudSettings` reads, for `--help`. */
export const CLOUD_ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ['NIFCLOUD_REGION', 'region of the NIFCLOUD API, such as jp-east-1'],
  ['NIFCLOUD_ACCESS_KEY_ID', 'access key'],
  ['NIFCLOUD_SECRET_ACCESS_KEY', 'its secret'],
  ['NIFCLOUD_ACCESS_KEY_ID_FILE', 'in place of the key, a file that holds it; both files may be replaced at any time'],
  ['NIFCLOUD_SECRET_ACCESS_KEY_FILE', 'in place of the secret, a file that holds it'],
  ['NIFCLOUD_ENDPOINT', "URL in place of the region's API, for a simulator"],
];

/** Variables and files: docs/reference/nifcloud-api.md §12; the `_FILE` forms are ours. @throws UsageError naming the variable */
export function cloudSettings(environment: Environment): CloudSettings {
  return {
    region: requiredEnvironment(environment, 'NIFCLOUD_REGION'),
    endpoint: environment['NIFCLOUD_ENDPOINT'],
    keys: cloudKeys(environment),
  };
}

/** Whether the environment names keys of the cloud API at all. */
export function hasCloudKeys(environment: Environment): boolean {
  return Boolean(environment['NIFCLOUD_ACCESS_KEY_ID'] || environment['NIFCLOUD_ACCESS_KEY_ID_FILE']);
}

function cloudKeys(environment: Environment): CloudKeys {
  const read = (name: string): string => requiredEnvironment(environment, name);
  if (!environment['NIFCLOUD_ACCESS_KEY_ID_FILE'] && !environment['NIFCLOUD_SECRET_ACCESS_KEY_FILE']) {
    return { accessKeyId: read('NIFCLOUD_ACCESS_KEY_ID'), secretAccessKey: read('NIFCLOUD_SECRET_ACCESS_KEY') };
  }
  for (const name of ['NIFCLOUD_ACCESS_KEY_ID', 'NIFCLOUD_SECRET_ACCESS_KEY']) {
    if (environment[name])
      throw new UsageError(`environment variable ${name} is not allowed beside files with keys; see --help`);
  }
  return {
    accessKeyIdFile: read('NIFCLOUD_ACCESS_KEY_ID_FILE'),
    secretAccessKeyFile: read('NIFCLOUD_SECRET_ACCESS_KEY_FILE'),
  };
}

/** What depends on how the program was started. @throws UsageError, beginning with `what`, in place of any error */
export async function usable<T>(what: string, start: () => T | Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`${what}: ${describeError(error)}`, { cause: error });
  }
}
