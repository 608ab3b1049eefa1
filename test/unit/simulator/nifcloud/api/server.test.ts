import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { CallRecord } from '../../../../../simulator/nifcloud/api/call-log.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud, until } from '../raw-client.ts';
import type { Form, RawClient } from '../raw-client.ts';

describe('the API server', () => {
  let simulator: Simulator;
  let client: RawClient;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'simulator-test-'));
    ({ simulator, client } = await startCloud({ control: true, callLog: join(folder, 'calls.jsonl') }));
  });
  after(async () => {
    await simulator.stop();
    await rm(folder, { recursive: true });
  });

  const accepted: readonly [string, Form][] = [
    ['a POST with SHA256', {}],
    ['a GET', { method: 'GET' }],
    ['SHA1', { signatureMethod: 'HmacSHA1' }],
    ['a call without Version', { withoutVersion: true }],
    ['a body that writes a space as + though %20 was signed', { tamper: (form) => form.replace('%20', '+') }],
    ['a second value of a key, which does not count', { tamper: (form) => `${form}&Description=second` }],
    [
      'percent escapes in lower case',
      { tamper: (form) => form.replaceAll(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()) },
    ],
    ['a content type with a charset', { contentType: 'application/x-www-form-urlencoded;charset=UTF-8' }],
    ['a Timestamp of another year', { timestamp: '2001-01-01T00:00:00Z' }],
    ['no Timestamp', { timestamp: '' }],
  ];
  for (const [name, form] of accepted) {
    it(`accepts ${name}`, async () => {
      const answer = await client.call('DescribeRegions', { Description: 'a b' }, form);
      expect(answer.code).to.equal(undefined);
      expect(answer.status).to.equal(200);
    });
  }

  const denied: readonly [string, Form][] = [
    ['a wrong secret', { secret: 'wrong' }],
    ['an unknown access key', { tamper: (form) => form.replace(/AccessKeyId=[^&]*/, 'AccessKeyId=SOMEONEELSE') }],
    ['a parameter changed after signing', { tamper: (form) => form.replace('a%20b', 'a%20c') }],
    ['escapes that are none', { tamper: (form) => `${form}&Description.1=%&Description.2=%zz%ff` }],
    ['a missing signature', { tamper: (form) => form.replace(/&Signature=.*/, '') }],
    ['another signature version', { tamper: (form) => form.replace('SignatureVersion=2', 'SignatureVersion=4') }],
    ['another signature method', { tamper: (form) => form.replace('HmacSHA256', 'HmacMD5') }],
  ];
  for (const [name, form] of denied) {
    it(`denies ${name} with 401`, async () => {
      const answer = await client.call('DescribeRegions', { Description: 'a b' }, form);
      expect(answer.code).to.equal('Client.AuthFailure');
      expect(answer.status).to.equal(401);
    });
  }

  it('answers an unknown action as the cloud writes errors', async () => {
    const answer = await client.call('RunInstances');
    expect(answer.status).to.equal(500);
    expect(answer.body).to.match(
      /^<Response><Errors><Error><Code>Client.InvalidParameterIllegalInput.Action<\/Code><Message>[^<]*<\/Message><\/Error><\/Errors><RequestID>[0-9a-f-]{36}<\/RequestID><\/Response>$/,
    );
  });

  it('does not take names that every object has for actions', async () => {
    expect((await client.call('constructor')).code).to.equal('Client.InvalidParameterIllegalInput.Action');
  });

  const requests: readonly [string, string, RequestInit, number, RegExp][] = [
    ['HEAD', '/api/', { method: 'HEAD' }, 405, /^$/],
    ['PUT', '/api/', { method: 'PUT', body: 'Action=x' }, 405, /takes GET and POST, not PUT/],
    ['a path that is none of its own', '/api', {}, 404, /GET or POST \/api\//],
    ['a first line that is no URL', '//', {}, 400, /no URL/],
    ['a body of 2 MB', '/api/', { method: 'POST', body: 'x'.repeat(2 << 20) }, 413, /larger than 1048576 bytes/],
    [
      'JSON',
      '/api/',
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' },
      415,
      /not application\/json/,
    ],
    [
      'another charset',
      '/api/',
      { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded; charset=Shift_JIS' }, body: '' },
      415,
      /in UTF-8/,
    ],
  ];
  for (const [what, path, init, status, text] of requests) {
    it(`answers ${what} with ${status} and a sentence`, async () => {
      const mark = simulator.mark();
      const response = await fetch(`${new URL(simulator.url).origin}${path}`, init);
      expect(response.status).to.equal(status);
      expect(await response.text()).to.match(text);
      expect(simulator.mark(), 'no call').to.equal(mark);
    });
  }

  it('reads an empty list as an absent one', async () => {
    const created = await client.done('CreateVolume', {
      VolumeId: 'lists',
      Size: 100,
      InstanceId: 'node01',
      'Filter.member': '',
    });
    expect(created.at('volumeId')).to.equal('lists');
    expect(simulator.calls().at(-1)).to.not.have.property('ignoredParameters');
  });

  it('writes EC2-like and ELB-like answers each in their way', async () => {
    const zones = await client.done('DescribeAvailabilityZones');
    expect(zones.body).to.match(
      /^<DescribeAvailabilityZonesResponse xmlns="https:\/\/computing.api.nifcloud.com\/api\/"><requestId>[0-9a-f-]{36}</,
    );
    const loadBalancers = await client.done('DescribeLoadBalancers');
    expect(loadBalancers.body).to.match(
      /^<DescribeLoadBalancersResponse xmlns="[^"]*"><DescribeLoadBalancersResult><LoadBalancerDescriptions><\/LoadBalancerDescriptions><\/DescribeLoadBalancersResult><ResponseMetadata><RequestId>[0-9a-f-]{36}</,
    );
  });

  it('reads an empty value as an absent parameter', async () => {
    const all = await client.done('DescribeInstances', { 'InstanceId.1': '', Tenancy: '' });
    expect(all.each('reservationSet.item', 'instancesSet.item.0.instanceId')).to.deep.equal([
      'node01',
      'node02',
      'node03',
    ]);
    expect((await client.call('DeleteVolume', { VolumeId: '' })).code).to.equal(
      'Client.InvalidParameterRequired.VolumeId',
    );
  });

  it('escapes what is not allowed in XML and drops what XML can not say', async () => {
    await client.done('CreateVolume', {
      VolumeId: 'xml',
      Size: 100,
      InstanceId: 'node01',
      Description: '<a&"\'>\u0001',
    });
    const { body } = await client.done('DescribeVolumes', { 'VolumeId.1': 'xml' });
    expect(body).to.include('<description>&lt;a&amp;&quot;&apos;&gt;</description>');
  });

  it('keeps each call without the credentials, in memory, in the file and behind the control page', async () => {
    const mark = simulator.mark();
    await client.done('DescribeInstances', { 'InstanceId.1': 'node02', 'InstanceIdd.2': 'typo' });
    await client.call('DeleteVolume', { VolumeId: 'nobody' });
    const calls = simulator.calls(mark);
    for (const { time, tookMs } of calls) expect([Date.parse(time) > 0, tookMs >= 0]).to.deep.equal([true, true]);
    expect(calls.map((call) => ({ ...call, time: '', tookMs: 0 }))).to.deep.equal([
      {
        number: mark + 1,
        time: '',
        tookMs: 0,
        action: 'DescribeInstances',
        parameters: { 'InstanceId.1': 'node02', 'InstanceIdd.2': 'typo' },
        outcome: 'ok',
        mutating: false,
        ignoredParameters: ['InstanceIdd.2'],
      },
      {
        number: mark + 2,
        time: '',
        tookMs: 0,
        action: 'DeleteVolume',
        parameters: { VolumeId: 'nobody' },
        outcome: 'Client.InvalidParameterNotFound.Volume',
        mutating: true,
      },
    ]);
    const page = await fetch(new URL(`/control/calls?since=${mark}`, simulator.url));
    expect(await page.json()).to.deep.equal({
      mark: mark + 2,
      counts: { DescribeInstances: 1, DeleteVolume: 1 },
      calls: [...calls],
    });
    const lines = (await readFile(join(folder, 'calls.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as CallRecord).slice(mark)).to.deep.equal([...calls]);
    expect(lines.join('')).to.not.match(/Signature|AccessKeyId|DEMOACCESSKEY/);
  });

  it('shows the state behind the control page', async () => {
    const page = await fetch(new URL('/control/state', simulator.url));
    expect(await page.json()).to.deep.equal(JSON.parse(JSON.stringify(simulator.state())));
  });

  it('has no control pages unless they were asked for', async () => {
    const { simulator: other } = await startCloud();
    try {
      expect((await fetch(new URL('/control/state', other.url))).status).to.equal(404);
    } finally {
      await other.stop();
    }
  });
});

describe('the switches of the API', () => {
  const NOW = Date.UTC(2025, 0, 2, 3, 4, 5);
  for (const [timestamp, code] of [
    ['2025-01-02T03:04:05Z', undefined],
    ['2025-01-02T03:19:05.000Z', undefined],
    ['2025-01-02T02:49:05Z', undefined],
    ['2025-01-02T03:19:06Z', 'Client.AuthFailure'],
    ['2025-01-02T02:49:04Z', 'Client.AuthFailure'],
    ['yesterday', 'Client.AuthFailure'],
    ['', 'Client.AuthFailure'],
  ] as const) {
    it(`timestamp=check: at 03:04:05 the Timestamp "${timestamp}" is ${code === undefined ? 'accepted' : 'refused'}`, async () => {
      const { simulator, client } = await startCloud({ clock: new FakeClock(NOW), switches: 'timestamp=check' });
      try {
        expect((await client.call('DescribeRegions', {}, { timestamp })).code).to.equal(code);
      } finally {
        await simulator.stop();
      }
    });
  }

  it('error-status=400: refusals have 400, a failed authentication still 401', async () => {
    const { simulator, client } = await startCloud({ switches: 'error-status=400' });
    try {
      expect((await client.call('DescribeVolumes', { 'VolumeId.1': 'nobody' })).status).to.equal(400);
      expect((await client.call('DescribeVolumes', {}, { secret: 'wrong' })).status).to.equal(401);
    } finally {
      await simulator.stop();
    }
  });
});

describe('the latency', () => {
  it('passes before a call is evaluated', async () => {
    const clock = new FakeClock();
    const { simulator, client } = await startCloud({ clock, latencyMs: 200 });
    try {
      let answered = false;
      const create = { VolumeId: 'late', Size: 100, InstanceId: 'node01' };
      const call = client.done('CreateVolume', create).then(() => (answered = true));
      await until(() => clock.sleeping === 1);
      await clock.advance(199);
      expect(simulator.state().volumes).to.deep.equal([]);
      expect(answered).to.equal(false);
      await clock.advance(1);
      await call;
      expect(simulator.state().volumes.map(({ id }) => id)).to.deep.equal(['late']);
      expect(simulator.calls()[0]?.tookMs).to.equal(200);
    } finally {
      await simulator.stop();
    }
    expect(clock.sleeping).to.equal(0);
  });

  it('is cut short by the end of the simulator', async () => {
    const { simulator, client } = await startCloud({ clock: new FakeClock(), latencyMs: 200 });
    const call = client.call('DescribeRegions').then(
      () => 'answered',
      () => 'not answered',
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    await simulator.stop();
    expect(await call).to.equal('not answered');
  });
});
