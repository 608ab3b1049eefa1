import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseEndpoint, removeStaleSocket } from '../../../csi/endpoint.ts';
import { UsageError } from '../../../daemon/flags.ts';

describe('--endpoint', () => {
  for (const [text, path] of [
    ['unix://tmp/csi.sock', '/tmp/csi.sock'],
    ['unix:/csi/csi.sock', '/csi/csi.sock'],
    ['unix:///csi/csi.sock', '/csi/csi.sock'],
    ['UNIX:///csi/csi.sock', '/csi/csi.sock'],
    ['unix:csi.sock', '/csi.sock'],
    ['/csi/csi.sock', '/csi/csi.sock'],
  ]) {
    it(`${text} means ${path}, as for the Go driver`, () => {
      expect(parseEndpoint(text ?? '')).to.deep.equal({ kind: 'unix', path });
    });
  }

  it('takes tcp', () => {
    expect(parseEndpoint('tcp://127.0.0.1:10000')).to.deep.equal({ kind: 'tcp', address: '127.0.0.1:10000' });
  });

  for (const text of ['', 'csi.sock', 'unix://', 'unix:///', 'http://host/csi.sock', 'tcp://host']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseEndpoint(text)).to.throw(UsageError, '--endpoint');
    });
  }

  it('refuses a path that the system would cut', () => {
    expect(parseEndpoint(`/${'é'.repeat(53)}`)).to.have.property('kind', 'unix');
    expect(() => parseEndpoint(`/${'é'.repeat(53)}x`)).to.throw(UsageError, '107');
  });

  it('removes nothing that is no socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'csi-endpoint-'));
    try {
      const file = join(folder, 'csi.sock');
      await removeStaleSocket(file);
      await writeFile(file, 'precious');
      const refusal: unknown = await removeStaleSocket(file).catch((error: unknown) => error);
      expect(refusal).to.be.an.instanceOf(UsageError);
      expect(await readFile(file, 'utf8')).to.equal('precious');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
