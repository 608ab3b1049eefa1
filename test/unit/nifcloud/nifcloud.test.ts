import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../daemon/clock.ts';
import { credentialSource } from '../../../nifcloud/credentials.ts';
import type { NifcloudError } from '../../../nifcloud/errors.ts';
import { Nifcloud, type NifcloudOptions } from '../../../nifcloud/nifcloud.ts';
import { accept, refuse, startCloudServer, type Received } from './cloud-server.ts';
import { errorOf } from './recorded-api.ts';

const never = new AbortController().signal;

function newCloud(options: Partial<NifcloudOptions>): Nifcloud {
  return new Nifcloud({
    region: 'jp-east-1',
    credentials: () => ({ accessKeyId: 'KEY', secretAccessKey: 'secret' }),
    userAgent: 'test/1',
    clock: systemClock,
    logger: { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} },
    ...options,
  });
}

/** Answers an AttachVolume with what it asked for. */
function echo(one: Received): void {
  const { form } = one;
  accept(one, `<volumeUniqueId>vol-${form.get('VolumeId')}</volumeUniqueId><device>${form.get('InstanceId')}</device>`);
}

async function attachMany(endpoint: string, count: number): Promise<readonly string[]> {
  const cloud = newCloud({ endpoint, qps: 1_000_000, burst: count });
  const calls = Array.from({ length: count }, async (_, n) => {
    try {
      const { volumeUniqueId, device } = await cloud.volumes.attach({ volumeId: `v${n}`, serverName: `s${n}` }, never);
      return `${volumeUniqueId} ${device}`;
    } catch (error) {
      return (error as NifcloudError).outcome;
    }
  });
  return Promise.all(calls);
}

describe('Nifcloud', () => {
  it('matches each of 10,000 parallel calls to its own request, over a few connections', async function () {
    this.timeout(60_000); // 3 s on an idle machine
    const held: Received[] = [];
    const server = await startCloudServer((received) => {
      held.push(received);
      if (held.length === 50) for (const one of held.splice(0).toReversed()) echo(one);
    });
    try {
      const expected = Array.from({ length: 10_000 }, (_, n) => `vol-v${n} s${n}`);
      expect(await attachMany(server.endpoint, 10_000)).to.deep.equal(expected);
      expect(new Set(server.received.map(({ form }) => form.get('Signature'))).size).to.equal(10_000);
      expect(new Set(server.received.map(({ request }) => request.socket)).size).to.be.at.most(120);
    } finally {
      await server.stop();
    }
  });

  it('gives nobody the answer to another call while connections break and answers take their time', async () => {
    const server = await startCloudServer((received) => {
      const { form, response } = received;
      const number = Number(form.get('VolumeId')!.at(-1));
      if (number === 3) response.destroy();
      else if (number === 6) response.write('<AttachVolumeResponse>', () => response.destroy());
      else setTimeout(() => echo(received), number);
    });
    try {
      const expected = Array.from({ length: 2_000 }, (_, n) =>
        [3, 6].includes(n % 10) ? 'unknown' : `vol-v${n} s${n}`,
      );
      expect(await attachMany(server.endpoint, 2_000)).to.deep.equal(expected);
      expect(server.received).to.have.length(2_000);
    } finally {
      await server.stop();
    }
  });

  it('goes on with keys that are rotated under it, without a failed call', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nifcloud-rotation-'));
    const rotateTo = (key: string): void => {
      for (const file of ['id', 'secret']) writeFileSync(join(folder, file), `${key}\n`);
    };
    let valid = 'OLD';
    const server = await startCloudServer((received) => {
      if (received.form.get('AccessKeyId') === valid) echo(received);
      else refuse(received, 'Client.AuthFailure', 401);
    });
    try {
      rotateTo('OLD');
      const files = { accessKeyIdFile: join(folder, 'id'), secretAccessKeyFile: join(folder, 'secret') };
      const credentials = credentialSource(files, { clock: systemClock, logger: { info: () => {}, warn: () => {} } });
      const cloud = newCloud({ endpoint: server.endpoint, credentials, qps: 1_000, burst: 100 });
      const attach = (): Promise<unknown> => cloud.volumes.attach({ volumeId: 'v', serverName: 's' }, never);
      await attach();
      rotateTo('NEW');
      valid = 'NEW';
      await Promise.all(Array.from({ length: 20 }, attach));
      expect(server.received.filter(({ form }) => form.get('AccessKeyId') === 'OLD').length).to.be.at.most(21);
      expect(server.received.filter(({ form }) => form.get('AccessKeyId') === 'NEW')).to.have.length(20);
      expect(cloud.reachability()).to.deep.equal({ ok: true });
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true });
    }
  });

  it('replaces only scheme, host and port by the endpoint', async () => {
    const server = await startCloudServer((received) => accept(received));
    try {
      for (const endpoint of [server.endpoint, `${server.endpoint}/`, `${server.endpoint}/api/`]) {
        await newCloud({ endpoint }).servers.list(never);
      }
      expect(server.received.map(({ request }) => request.url)).to.deep.equal(['/api/', '/api/', '/api/']);
    } finally {
      await server.stop();
    }
  });

  it('tells whether the cloud is reachable', async () => {
    const server = await startCloudServer((received, index) => {
      if (index === 0) accept(received);
      else refuse(received, 'Client.AuthFailure', 401);
    });
    try {
      const cloud = newCloud({ endpoint: server.endpoint });
      await cloud.volumes.list(never);
      expect(cloud.reachability()).to.deep.equal({ ok: true });
      await errorOf(cloud.volumes.list(never));
      expect(cloud.reachability().ok).to.equal(false);
    } finally {
      await server.stop();
    }
  });

  for (const region of ['', 'jp east', 'evil.example/?']) {
    it(`refuses the region ${JSON.stringify(region)}`, () => {
      expect(() => newCloud({ region })).to.throw(TypeError, JSON.stringify(region));
    });
  }

  for (const endpoint of ['localhost:8080', 'ftp://host', 'nonsense']) {
    it(`refuses the endpoint ${endpoint}`, () => {
      expect(() => newCloud({ endpoint })).to.throw(TypeError, endpoint);
    });
  }
});
