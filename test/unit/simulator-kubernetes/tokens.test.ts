import { expect } from 'chai';
import { at, textAt } from '../../../simulator/kubernetes/objects.ts';
import { runServer, type RunningServer } from './running-server.ts';

const ACCOUNTS = '/api/v1/namespaces/kube-system/serviceaccounts';

describe('tokens of ServiceAccounts', () => {
  let running: RunningServer;
  beforeEach(async () => {
    running = await runServer();
    await running.client.post(ACCOUNTS, { metadata: { name: 'node-controller' } });
  });
  afterEach(() => running.stop());

  it('say whose they are, and from when to when they are good', async () => {
    const { code, body } = await running.client.post(`${ACCOUNTS}/node-controller/token`, {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { expirationSeconds: 1_800 },
    });
    expect(code).to.equal(201);
    expect(textAt(body, 'status', 'expirationTimestamp')).to.equal('2025-01-02T03:34:05Z');
    expect(at(body, 'spec', 'expirationSeconds')).to.equal(1_800);
    const claims = JSON.parse(Buffer.from(textAt(body, 'status', 'token').split('.')[1]!, 'base64url').toString());
    expect(claims).to.include({ sub: 'system:serviceaccount:kube-system:node-controller' });
    expect(claims.exp - claims.iat).to.equal(1_800);
    expect(claims['kubernetes.io'].serviceaccount.uid).to.have.length(36);
  });

  it('live an hour where nothing is asked for, and never less than ten minutes', async () => {
    const { body } = await running.client.post(`${ACCOUNTS}/node-controller/token`, {});
    expect(at(body, 'spec', 'expirationSeconds')).to.equal(3_600);
    const refused = await running.client.post(`${ACCOUNTS}/node-controller/token`, {
      spec: { expirationSeconds: 599 },
    });
    expect(refused.code).to.equal(422);
    expect(textAt(refused.body, 'message')).to.contain('may not specify a duration less than 10 minutes');
  });

  it('are given to nobody who does not exist, and only on request', async () => {
    const answer = await running.client.post(`${ACCOUNTS}/nobody/token`, {});
    expect(answer.code).to.equal(404);
    expect(textAt(answer.body, 'message')).to.equal('serviceaccounts "nobody" not found');
    expect((await running.client.get(`${ACCOUNTS}/node-controller/token`)).code).to.equal(405);
  });

  it('are among what the server says that it serves', async () => {
    const { body } = await running.client.get('/api/v1');
    expect(JSON.stringify(body)).to.contain('"serviceaccounts/token"');
  });
});
