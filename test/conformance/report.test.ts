import { expect } from 'chai';
import { complaints, specsOf } from './report.ts';

/** What a run skips that is in order. */
const USUAL = [
  'Snapshot not supported',
  'CreateSnapshot not supported',
  'DeleteSnapshot not supported',
  'GetSnapshot not supported',
  'ListSnapshots not supported',
  'GroupControllerService not supported',
  'Volume Cloning not supported',
  'GetCapacity not supported',
  'ControllerPublishVolume.readonly field not supported',
];

interface Ended {
  readonly text: string;
  readonly state: string;
  readonly message?: string;
}

/** A report as Ginkgo 2.32 writes it, cut to what is read. */
function report(...ended: readonly Ended[]): string {
  const skipped = USUAL.map((message, n) => ({ text: `skipped ${n}`, state: 'skipped', message }));
  const specs = [...skipped, ...ended].map(({ text, state, message }) => ({
    ContainerHierarchyTexts: ['Node Service', 'NodeGetInfo'],
    LeafNodeType: 'It',
    LeafNodeText: text,
    State: state,
    ...(message === undefined ? {} : { Failure: { Message: message } }),
  }));
  const setUp = { ContainerHierarchyTexts: null, LeafNodeType: 'BeforeSuite', LeafNodeText: '', State: 'passed' };
  return JSON.stringify([{ SuiteDescription: 'CSI Driver Test Suite', SpecReports: [setUp, ...specs] }]);
}

const judged = (...ended: readonly Ended[]): string => complaints(specsOf(report(...ended))).join('\n');

describe('the report of a conformance run', () => {
  it('is in order when all has passed but for what the driver does not claim', () => {
    const pending = {
      text: 'pagination should detect volumes added between pages and accept tokens …',
      state: 'pending',
    };
    expect(judged({ text: 'works', state: 'passed' }, pending)).to.equal('');
  });

  for (const state of ['failed', 'panicked', 'timedout', 'interrupted', 'aborted']) {
    it(`names a spec that has ${state}, with its message`, () => {
      expect(judged({ text: 'works', state, message: 'Expected\n    3\nto equal 5' })).to.match(
        /FAILED +Node Service › NodeGetInfo › works\n +Expected\n +3\n +to equal 5/,
      );
    });
  }

  it('names a spec that was skipped for another reason: it would prove nothing', () => {
    const complaint = judged({ text: 'lists', state: 'skipped', message: 'ListVolumes not supported' });
    expect(complaint).to.match(/SKIPPED +Node Service › NodeGetInfo › lists\n +ListVolumes not supported/);
  });

  it('names a spec that waits to be written', () => {
    expect(judged({ text: 'lists', state: 'pending' })).to.match(/PENDING +Node Service › NodeGetInfo › lists/);
  });

  it('names a reason by which nothing was skipped: the list of what is not claimed would be out of date', () => {
    expect(complaints(specsOf(report())).concat(complaints([])).join('\n')).to.match(
      /CLAIMED .*"GetCapacity not supported"/,
    );
  });

  it('names a set-up that failed', () => {
    const failed = [{ ContainerHierarchyTexts: null, LeafNodeType: 'BeforeSuite', LeafNodeText: '', State: 'failed' }];
    expect(complaints(specsOf(JSON.stringify([{ SpecReports: failed }]))).join('\n')).to.match(/^FAILED/);
  });
});
