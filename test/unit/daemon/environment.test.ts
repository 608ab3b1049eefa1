import { expect } from 'chai';
import { cloudSettings, hasCloudKeys, usable, type CloudSettings } from '../../../daemon/environment.ts';
import { UsageError } from '../../../daemon/flags.ts';

const REGION = { NIFCLOUD_REGION: 'jp-east-1' };
const KEYS = { NIFCLOUD_ACCESS_KEY_ID: 'key', NIFCLOUD_SECRET_ACCESS_KEY: 'secret' };
const FILES = { NIFCLOUD_ACCESS_KEY_ID_FILE: '/k/id', NIFCLOUD_SECRET_ACCESS_KEY_FILE: '/k/secret' };

describe('the cloud in the environment', () => {
  const settings: [what: string, environment: Record<string, string>, expected: CloudSettings][] = [
    [
      'keys',
      { ...REGION, ...KEYS },
      { region: 'jp-east-1', endpoint: undefined, keys: { accessKeyId: 'key', secretAccessKey: 'secret' } },
    ],
    [
      'files, beside variables for keys that are empty',
      { ...REGION, ...FILES, NIFCLOUD_ACCESS_KEY_ID: '', NIFCLOUD_ENDPOINT: 'http://127.0.0.1:1' },
      {
        region: 'jp-east-1',
        endpoint: 'http://127.0.0.1:1',
        keys: { accessKeyIdFile: '/k/id', secretAccessKeyFile: '/k/secret' },
      },
    ],
  ];
  for (const [what, environment, expected] of settings) {
    it(`may have ${what}`, () => {
      expect(cloudSettings(environment)).to.deep.equal(expected);
      expect(hasCloudKeys(environment)).to.equal(true);
    });
  }

  const { NIFCLOUD_ACCESS_KEY_ID_FILE, NIFCLOUD_SECRET_ACCESS_KEY_FILE } = FILES;
  const refused: [what: string, environment: Record<string, string>, says: RegExp][] = [
    ['no region', KEYS, /^environment variable NIFCLOUD_REGION is not set/],
    ['no keys', REGION, /^environment variable NIFCLOUD_ACCESS_KEY_ID is not set/],
    ['no secret', { ...REGION, NIFCLOUD_ACCESS_KEY_ID: 'key' }, /NIFCLOUD_SECRET_ACCESS_KEY is not set/],
    [
      'no file for the secret',
      { ...REGION, NIFCLOUD_ACCESS_KEY_ID_FILE },
      /NIFCLOUD_SECRET_ACCESS_KEY_FILE is not set/,
    ],
    ['no file for the key', { ...REGION, NIFCLOUD_SECRET_ACCESS_KEY_FILE }, /NIFCLOUD_ACCESS_KEY_ID_FILE is not set/],
    ['keys and files', { ...REGION, ...KEYS, ...FILES }, /NIFCLOUD_ACCESS_KEY_ID is not allowed beside files/],
    [
      'a key in a variable and the secret in a file',
      { ...REGION, NIFCLOUD_ACCESS_KEY_ID: 'key', NIFCLOUD_SECRET_ACCESS_KEY_FILE },
      /NIFCLOUD_ACCESS_KEY_ID is not allowed beside files/,
    ],
  ];
  for (const [what, environment, says] of refused) {
    it(`is refused in one line with ${what}`, () => {
      expect(() => cloudSettings(environment)).to.throw(UsageError, says);
      expect(() => cloudSettings(environment)).to.throw(UsageError, /^[^\n]+$/);
    });
  }
});

const failureOf = (start: () => unknown): Promise<unknown> =>
  usable('the thing', start).then(
    () => undefined,
    (error: unknown) => error,
  );

describe('what depends on how a program was started', () => {
  it('gives its result', async () => {
    expect(await usable('the thing', () => 1)).to.equal(1);
    expect(await usable('the thing', async () => 2)).to.equal(2);
  });

  it('fails in one line that says what it is', async () => {
    for (const start of [
      () => {
        throw new TypeError('is none');
      },
      () => Promise.reject(new TypeError('is none')),
    ]) {
      expect(await failureOf(start))
        .to.be.instanceOf(UsageError)
        .with.property('message', 'the thing: is none');
    }
  });

  it('leaves an error as it is that says so already', async () => {
    const error = new UsageError('--flag is wrong');
    expect(await failureOf(() => Promise.reject(error))).to.equal(error);
  });
});
