import { expect } from 'chai';
import { DRIVER_NAME } from '../../../../csi/names.ts';
import { isLeaving, waitForDetach } from '../../../../csi/node/pre-stop.ts';
import { KubeError } from '../../../../kube/errors.ts';
import type { Node } from '../../../../kube/types.ts';
import { FakeClock } from '../../../fake-clock.ts';
import { memoryLogger } from './fake-machine.ts';

describe('the preStop hook of the node server', () => {
  const cases: readonly [string, Node, boolean][] = [
    ['is cordoned', { metadata: { name: 'n' }, spec: { unschedulable: true } }, true],
    ['is being deleted', { metadata: { name: 'n', deletionTimestamp: '2025-01-01T00:00:00Z' } }, true],
    [
      'is out of service',
      {
        metadata: { name: 'n' },
        spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] },
      },
      true,
    ],
    [
      'has a taint of its own',
      { metadata: { name: 'n' }, spec: { taints: [{ key: 'team', effect: 'NoSchedule' }] } },
      false,
    ],
    ['is as any other', { metadata: { name: 'n' } }, false],
  ];
  for (const [what, node, expected] of cases) {
    it(`${expected ? 'waits on' : 'does not hold up an update of the driver on'} a node that ${what}`, () => {
      expect(isLeaving(node)).to.equal(expected);
    });
  }

  it('lasts until no volume of ours is attached to the node, through failures of the API server', async () => {
    let attachments = [
      { metadata: { name: 'ours' }, spec: { attacher: DRIVER_NAME, nodeName: 'node01' } },
      { metadata: { name: 'elsewhere' }, spec: { attacher: DRIVER_NAME, nodeName: 'node02' } },
      { metadata: { name: 'of another driver' }, spec: { attacher: 'example.com', nodeName: 'node01' } },
    ];
    let failure: Error | undefined;
    const kube = {
      get: async <T>(path: string): Promise<T> => {
        if (failure !== undefined) throw failure;
        const node: Node = { metadata: { name: 'node01' }, spec: { unschedulable: true } };
        return (path.includes('/nodes/') ? node : { metadata: {}, items: attachments }) as T;
      },
    };
    const clock = new FakeClock();
    let isOver = false;
    const hook = waitForDetach(
      { nodeName: 'node01', kube, clock, logger: memoryLogger() },
      new AbortController().signal,
    ).then(() => (isOver = true));
    await clock.advance(10_000);
    failure = new KubeError({ code: 500, reason: 'InternalError', message: 'not now' });
    await clock.advance(10_000);
    failure = undefined;
    await clock.advance(10_000);
    expect(isOver).to.equal(false);
    attachments = attachments.slice(1);
    await clock.advance(2_000);
    await hook;
  });

  it('ends at once where the account may not look: roles were taken away, or are those of the Go driver, which had none', async () => {
    const kube = { get: () => Promise.reject(new KubeError({ code: 403, reason: 'Forbidden', message: 'no' })) };
    const logger = memoryLogger();
    await waitForDetach({ nodeName: 'node01', kube, clock: new FakeClock(), logger }, new AbortController().signal);
    expect(logger.lines.join('\n')).to.contain('may not');
  });
});
