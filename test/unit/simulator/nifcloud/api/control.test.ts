import { expect } from 'chai';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { startCloud, until } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

describe('the control pages', () => {
  let simulator: Simulator;
  let client: RawClient;

  beforeEach(async () => ({ simulator, client } = await startCloud({ control: true, transition: '0s' })));
  afterEach(() => simulator.stop());

  const ask = async (method: string, page: string, body?: unknown): Promise<{ status: number; answer: unknown }> => {
    const response = await fetch(new URL(`/control/${page}`, simulator.url), {
      method,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, answer: await response.json() };
  };
  const stateOf = (name: string): string | undefined =>
    simulator.state().servers.find((server) => server.name === name)?.state;

  it('add, list and remove faults', async () => {
    expect(await ask('POST', 'faults', { kind: 'throttle', action: 'DescribeRegions' })).to.deep.equal({
      status: 201,
      answer: { id: 1 },
    });
    await ask('POST', 'faults', { kind: 'drop-after' });
    expect((await client.send('DescribeRegions')).status).to.equal(429);
    expect((await ask('GET', 'faults')).answer).to.deep.equal([
      { id: 1, kind: 'throttle', action: 'DescribeRegions', fitted: 1, struck: 1 },
      { id: 2, kind: 'drop-after', fitted: 0, struck: 0 },
    ]);
    expect((await ask('DELETE', 'faults/2')).status).to.equal(200);
    expect((await ask('DELETE', 'faults/2')).status).to.equal(404);
    expect((await ask('DELETE', 'faults')).status).to.equal(200);
    expect(simulator.faults.list()).to.deep.equal([]);
    await client.done('DescribeRegions');
  });

  it('stop and start a server, as someone does in the control panel', async () => {
    expect((await ask('POST', 'servers/node01/stop')).status).to.equal(200);
    await until(() => stateOf('node01') === 'stopped');
    await ask('POST', 'servers/node01/start');
    await until(() => stateOf('node01') === 'running');
    await ask('POST', 'servers/node01/stop', { force: true });
    await until(() => stateOf('node01') === 'stopped');
  });

  it('crash, rename and remove servers, and set their state', async () => {
    await ask('POST', 'servers/node01/crash');
    expect(stateOf('node01')).to.equal('stopped');
    await ask('POST', 'servers/node01/state', { state: 'warning' });
    expect(stateOf('node01')).to.equal('warning');
    await ask('POST', 'servers/node02/rename', { name: 'renamed' });
    expect(stateOf('renamed')).to.equal('running');
    await ask('POST', 'servers/node03/remove');
    expect(simulator.state().servers.map(({ name }) => name)).to.have.members(['node01', 'renamed']);
  });

  it('rename a disk', async () => {
    await client.done('CreateVolume', { VolumeId: 'before', Size: 100, InstanceId: 'node01' });
    await ask('POST', 'volumes/before/rename', { id: 'after' });
    expect(simulator.state().volumes.map(({ id }) => id)).to.deep.equal(['after']);
  });

  const refused: readonly [string, string, unknown, RegExp][] = [
    ['POST', 'faults', { kind: 'flood' }, /^kind="flood" is not allowed; allowed: drop-before, /],
    ['POST', 'faults', 'kind: hang', /^the body is not allowed; allowed: a JSON object$/],
    ['POST', 'servers/nobody/crash', undefined, /allowed: the name of a server: node01, node02, node03$/],
    ['POST', 'servers/node01/stop', { forced: true }, /^forced is not allowed; allowed: force$/],
    ['POST', 'servers/node01/stop', { force: 'yes' }, /^force="yes" is not allowed; allowed: true or false$/],
    ['POST', 'servers/node01/crash', { now: true }, /^now is not allowed; allowed: an empty body$/],
    ['POST', 'servers/node01/rename', {}, /^name=undefined is not allowed; allowed: a text$/],
    ['POST', 'servers/node01/state', { state: 'broken' }, /^broken is not allowed; allowed: running, /],
    ['GET', 'calls?since=x', undefined, /^since=x is not allowed; allowed: the number of a call$/],
  ];
  for (const [method, page, body, complaint] of refused) {
    it(`refuse ${method} ${page} with ${JSON.stringify(body)}, saying what is allowed`, async () => {
      const { status, answer } = await ask(method, page, body);
      expect(status).to.equal(400);
      expect(answer).to.have.property('error').that.matches(complaint);
      expect(simulator.state().servers.map(({ name, state }) => [name, state])).to.deep.equal([
        ['node01', 'running'],
        ['node02', 'running'],
        ['node03', 'running'],
      ]);
    });
  }

  it('list themselves to whoever asks for another', async () => {
    const { status, answer } = await ask('GET', 'nothing');
    expect(status).to.equal(404);
    expect(answer).to.have.property('error').that.includes('POST /control/servers/NAME/crash');
  });

  it('say which methods they take', async () => {
    const { status, answer } = await ask('PUT', 'faults');
    expect({ status, answer }).to.deep.equal({
      status: 405,
      answer: { error: 'this page takes GET, POST, DELETE, not PUT' },
    });
  });
});
