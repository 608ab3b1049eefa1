import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { at, type Json, objectsIn, textAt } from '../../../simulator/kubernetes/objects.ts';
import { RawClient } from './raw-client.ts';
import { runServer, type RunningServer } from './running-server.ts';

const NODES = '/api/v1/nodes';

describe('the API server', () => {
  let running: RunningServer;
  beforeEach(async () => {
    running = await runServer();
  });
  afterEach(() => running.stop());

  it('begins with the namespaces of every cluster', async () => {
    const { body } = await running.client.get('/api/v1/namespaces');
    const namespaces = objectsIn(at(body, 'items')).map((one) => textAt(one, 'metadata', 'name'));
    expect(namespaces).to.deep.equal(['default', 'kube-node-lease', 'kube-public', 'kube-system']);
  });

  it('stamps new objects with its clock', async () => {
    await running.clock.advance(1_999);
    const { body } = await running.client.post(NODES, { metadata: { name: 'n' } });
    expect(textAt(body, 'metadata', 'creationTimestamp')).to.equal('2025-01-02T03:04:06Z');
    expect(textAt(body, 'metadata', 'uid')).to.match(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  it('gives a pod until its grace period is over, by its clock', async () => {
    const pods = '/api/v1/namespaces/default/pods';
    await running.client.post(pods, { metadata: { name: 'p' }, spec: { nodeName: 'n', containers: [{ name: 'c' }] } });
    const first = (await running.client.delete(`${pods}/p`)).body;
    await running.clock.advance(4_000);
    const second = (await running.client.delete(`${pods}/p`, { gracePeriodSeconds: 10 })).body;
    const late = (await running.client.delete(`${pods}/p`, { gracePeriodSeconds: 1 })).body;
    expect([first, second, late].map((pod) => textAt(pod, 'metadata', 'deletionTimestamp').slice(11))).to.deep.equal([
      '03:04:35Z',
      '03:04:15Z',
      '03:04:09Z',
    ]);
  });

  it('lets exactly one of many writers with the same version win', async () => {
    const { body } = await running.client.post(NODES, { metadata: { name: 'n' } });
    const writers = Array.from({ length: 20 }, (_, writer) =>
      running.client.put(`${NODES}/n`, { ...(body as object), spec: { podCIDR: `10.0.${writer}.0/24` } }),
    );
    const codes = (await Promise.all(writers)).map(({ code }) => code);
    expect(codes.filter((code) => code === 200)).to.have.length(1);
    expect(codes.filter((code) => code === 409)).to.have.length(19);
  });

  it('describes what it serves', async () => {
    const groups = objectsIn(at((await running.client.get('/apis')).body, 'groups')).map((group) =>
      textAt(group, 'name'),
    );
    expect(groups).to.include.members(['apps', 'storage.k8s.io', 'coordination.k8s.io', 'discovery.k8s.io']);
    const lists = await Promise.all(
      ['/api/v1', ...groups.map((group) => `/apis/${group}/v1`)].map((path) => running.client.get(path)),
    );
    const served = lists.flatMap(({ body }) =>
      objectsIn(at(body, 'resources')).map((one) => ({ groupVersion: textAt(body, 'groupVersion'), ...one })),
    );
    const collections = served.filter((one) => !textAt(one, 'name').includes('/'));
    const answers = await Promise.all(
      collections.map((one) => {
        const groupVersion = textAt(one, 'groupVersion');
        return running.client.get(`/${groupVersion === 'v1' ? 'api' : 'apis'}/${groupVersion}/${textAt(one, 'name')}`);
      }),
    );
    expect(answers.map(({ body }) => textAt(body, 'kind'))).to.deep.equal(
      collections.map((one) => `${textAt(one, 'kind')}List`),
    );
    expect(served.map((one) => textAt(one, 'name'))).to.include.members([
      'nodes/status',
      'pods/binding',
      'pods/status',
    ]);
    expect((await running.client.get('/apis/apps')).body).to.nested.include({ kind: 'APIGroup', name: 'apps' });
    expect((await running.client.get('/version')).body).to.nested.include({ major: '1', minor: '36' });
  });

  it('refuses a dry run instead of doing it', async () => {
    expect((await running.client.post(`${NODES}?dryRun=All`, { metadata: { name: 'n' } })).code).to.equal(400);
    expect((await running.client.get(`${NODES}/n`)).code).to.equal(404);
  });

  it('refuses server-side apply', async () => {
    const answer = await running.client.patch(`${NODES}/n`, {}, 'application/apply-patch+yaml');
    expect([answer.code, textAt(answer.body, 'reason')]).to.deep.equal([415, 'UnsupportedMediaType']);
  });
});

describe('the API server as a program', () => {
  let child: ChildProcess;
  afterEach(() => child.kill('SIGKILL'));

  it('prints where it listens, serves, and ends with 0 on SIGTERM although watches are open', async () => {
    const main = new URL('../../../simulator/kubernetes/main.ts', import.meta.url).pathname;
    child = spawn(process.execPath, [main, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    const url = textAt(JSON.parse(line) as Json, 'listening');
    expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/);
    const client = new RawClient(url);
    const events = await client.watch('/api/v1/nodes?watch=1');
    await client.post(NODES, { metadata: { name: 'n' } });
    expect(textAt(await events.next(), 'type')).to.equal('ADDED');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).to.deep.equal([0, null]);
    client.close();
  });
});
