import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CredentialsFile } from '../../../../../simulator/nifcloud/api/credentials-file.ts';
import type { Logger } from '../../../../../daemon/logger.ts';
import { RawClient, startCloud } from '../raw-client.ts';

const OLD = { accessKeyId: 'OLDKEY', secretAccessKey: 'old-secret' };
const NEW = { accessKeyId: 'NEWKEY', secretAccessKey: 'new-secret' };

describe('a file of keys', () => {
  let folder: string;
  let file: string;
  let log: string[];
  let logger: Logger;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'simulator-test-'));
    file = join(folder, 'keys');
    log = [];
    const keep = (...entry: unknown[]): void => void log.push(entry.map(String).join(' '));
    logger = { info: keep, warn: keep, error: keep, debug: keep };
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('may be YAML or JSON, and hold several keys', async () => {
    await writeFile(file, '- accessKeyId: OLDKEY\n  secretAccessKey: old-secret\n');
    expect(new CredentialsFile(file, logger).keys()).to.deep.equal([OLD]);
    await writeFile(file, JSON.stringify([OLD, NEW]));
    expect(new CredentialsFile(file, logger).keys()).to.deep.equal([OLD, NEW]);
  });

  it('is read again when it changes, so that keys can be rotated under a running simulator', async () => {
    await writeFile(file, JSON.stringify([OLD]));
    const { simulator } = await startCloud({ credentialsFile: file });
    const codeWith = async (keys: typeof OLD): Promise<string | undefined> =>
      (await new RawClient(simulator.url, keys).call('DescribeRegions')).code;
    try {
      expect([await codeWith(OLD), await codeWith(NEW)]).to.deep.equal([undefined, 'Client.AuthFailure']);
      await writeFile(file, JSON.stringify([OLD, NEW]));
      expect([await codeWith(OLD), await codeWith(NEW)]).to.deep.equal([undefined, undefined]);
      // As a Secret's volume changes: another file takes the name.
      await writeFile(`${file}.next`, JSON.stringify([NEW]));
      await rename(`${file}.next`, file);
      expect([await codeWith(OLD), await codeWith(NEW)]).to.deep.equal(['Client.AuthFailure', undefined]);
      expect(simulator.credentials).to.deep.equal(NEW);
    } finally {
      await simulator.stop();
    }
  });

  for (const [what, change] of [
    ['is half written', () => writeFile(file, '[{"accessKeyId": "NEWKEY", "secretAccessKey": "new-sec')],
    ['is gone', () => rm(file)],
  ] as const) {
    it(`that ${what} leaves the keys as they were, and says so once without the secrets`, async () => {
      await writeFile(file, JSON.stringify([OLD]));
      const keys = new CredentialsFile(file, logger);
      await change();
      expect(keys.keys()).to.deep.equal([OLD]);
      expect(keys.keys()).to.deep.equal([OLD]);
      expect(log.length).to.equal(1);
      expect(log.join())
        .to.include(file)
        .and.not.match(/old-sec|new-sec/);
      await writeFile(file, JSON.stringify([NEW]));
      expect(keys.keys()).to.deep.equal([NEW]);
    });
  }

  for (const text of [
    '',
    '[]',
    'accessKeyId: OLDKEY',
    '[{"accessKeyId":"OLDKEY"}]',
    '[{"accessKeyId":"OLDKEY","secretAccessKey":""}]',
    '[{"accessKeyId":"OLDKEY","secretAccessKey":"old-secret","x":1}]',
    '- accessKeyId: OLDKEY\n  secretAccessKey: "old-secret" old-secret\n',
  ]) {
    it(`with ${JSON.stringify(text)} is refused without being repeated`, async () => {
      await writeFile(file, text);
      expect(() => new CredentialsFile(file, logger)).to.throw(/^[^\n]*keys: not a YAML or JSON list of \{accessKeyId/);
    });
  }
});
