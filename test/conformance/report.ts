/** One spec of a run of csi-sanity. */
export interface Spec {
  readonly name: string;
  readonly outcome: 'passed' | 'skipped' | 'pending' | 'failed';
  /** Why it was skipped or failed; of a failed one with what it did before. */
  readonly why: string;
}

/** What Ginkgo writes with `--ginkgo.json-report`, as far as it is read. */
interface Suite {
  readonly SpecReports: readonly {
    readonly LeafNodeType: string;
    readonly LeafNodeText: string;
    readonly ContainerHierarchyTexts: readonly string[] | null;
    readonly State: string;
    readonly Failure?: {
      readonly Message: string;
      readonly ForwardedPanic?: string;
      readonly Location?: { readonly FileName: string; readonly LineNumber: number };
    };
    readonly CapturedGinkgoWriterOutput?: string;
  }[];
}

/** The specs of a report; what Ginkgo calls interrupted, aborted, panicked or timed out has failed. */
export function specsOf(report: string): readonly Spec[] {
  return (JSON.parse(report) as readonly Suite[])
    .flatMap(({ SpecReports: specs }) => specs)
    .filter(({ LeafNodeType: type, State: state }) => type === 'It' || isFailure(state))
    .map(({ ContainerHierarchyTexts: above, LeafNodeText: text, State: state, Failure: failure, ...spec }) => {
      const name = [...(above ?? []), text].join(' › ');
      const outcome = isFailure(state) ? 'failed' : (state as Spec['outcome']);
      const message = [failure?.Message, failure?.ForwardedPanic].filter(Boolean).join('\n');
      if (outcome !== 'failed') return { name, outcome, why: message };
      const { FileName: file = '', LineNumber: line = 0 } = failure?.Location ?? {};
      const place = `${file.replace(/^.*csi-test\//, 'csi-test/')}:${line}`;
      return { name, outcome, why: [message, place, spec.CapturedGinkgoWriterOutput ?? ''].join('\n').trim() };
    });
}

function isFailure(state: string): boolean {
  return !['passed', 'skipped', 'pending'].includes(state);
}

/** Reasons by which csi-sanity skips specs of what the driver does not claim, and why it does not. */
const NOT_CLAIMED: Readonly<Record<string, string>> = {
  'Snapshot not supported': 'the cloud has no snapshots of disks',
  'CreateSnapshot not supported': 'the cloud has no snapshots of disks',
  'DeleteSnapshot not supported': 'the cloud has no snapshots of disks',
  'GetSnapshot not supported': 'the cloud has no snapshots of disks',
  'ListSnapshots not supported': 'the cloud has no snapshots of disks',
  'GroupControllerService not supported': 'the cloud has no snapshots of disks, still less of several at once',
  'Volume Cloning not supported': 'the cloud copies no disks',
  'GetCapacity not supported': 'the cloud does not tell how much is left',
  'ControllerPublishVolume.readonly field not supported': 'the cloud attaches disks for writing only',
};

/** Never run by csi-sanity itself: it is marked as unfinished there. */
const UNFINISHED = /pagination should detect volumes added between pages/;

/** What is wrong with a run, ready to be printed; nothing when it proves what the driver claims. */
export function complaints(specs: readonly Spec[]): readonly string[] {
  const all: string[] = [];
  for (const { name, outcome, why } of specs) {
    if (outcome === 'failed') all.push(`FAILED   ${name}\n${indented(why)}`);
    if (outcome === 'pending' && !UNFINISHED.test(name)) all.push(`PENDING  ${name}`);
    if (outcome === 'skipped' && !(why in NOT_CLAIMED)) all.push(`SKIPPED  ${name}\n${indented(why)}`);
  }
  for (const [reason, because] of Object.entries(NOT_CLAIMED)) {
    if (!specs.some(({ outcome, why }) => outcome === 'skipped' && why === reason)) {
      all.push(`CLAIMED  nothing was skipped as "${reason}" (${because}): is it claimed now, or csi-sanity another?`);
    }
  }
  return all;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '         ');
}
