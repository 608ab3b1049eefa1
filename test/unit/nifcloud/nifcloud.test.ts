import { expect } from 'chai';
import { systemClock } from '../../../daemon/clock.ts';
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

describe('Nifcloud', () => {
  it('matches each of 500 parallel calls to its own request, whatever the order of the answers', async () => {
    const held: Received[] = [];
    const server = await startCloudServer((received) => {
      held.push(received);
      if (held.length < 50) return;
      for (const one of held.splice(0).toReversed()) {
        accept(
          one,
          `<volumeUniqueId>vol-${one.form.get('VolumeId')}</volumeUniqueId><device>${one.form.get('InstanceId')}</device>`,
        );
      }
    });
    try {
      const cloud = newCloud({ endpoint: server.endpoint, qps: 10_000, burst: 500 });
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, n) => cloud.volumes.attach({ volumeId: `v${n}`, serverName: `s${n}` }, never)),
      );
      expect(answers.map(({ volumeUniqueId, device }) => `${volumeUniqueId} ${device}`)).to.deep.equal(
        Array.from({ length: 500 }, (_, n) => `vol-v${n} s${n}`),
      );
      const signatures = new Set(server.received.map(({ form }) => form.get('Signature')));
      expect(signatures.size).to.equal(500);
    } finally {
      await server.stop();
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
