import { expect } from 'chai';
import { page, sources, type Page } from './pages.ts';

/** How code names the reason of an event or a condition; the first group holds it, or several in quotes. */
const REASONS = [
  /\.event\(\s*[^()]*?,\s*'(?:Normal|Warning)',\s*('\w+')/gs,
  /#(?:normal|warning)\(\s*\w+,\s*('\w+')/g,
  /asWarning\(('\w+')\)/g,
  /\bwarn\(\s*\{[^{}]*\},\s*('\w+')/gs,
  /\breason: ('[A-Z]\w+')/g,
  /\breason: \w+ \? ('[A-Z]\w+' : '[A-Z]\w+')/g,
];

/** Where an event is sent whose reason others give. */
const PASSED_ON = /\.event\(\s*[^()]*?,\s*(?:'Normal'|'Warning'),\s*reason\b/gs;

function reasonsIn({ text }: Page): readonly string[] {
  const found = REASONS.flatMap((pattern) => [...text.matchAll(pattern)].map(([, names = '']) => names));
  return found.flatMap((names) => [...names.matchAll(/'(\w+)'/g)].map(([, name = '']) => name));
}

describe('docs/operate.md', () => {
  let code: readonly Page[];
  let reasons: ReadonlySet<string>;
  let operate: Page;
  before(async () => {
    code = await sources('ccm', 'csi', 'kube');
    reasons = new Set(code.flatMap(reasonsIn));
    operate = await page('docs/operate.md');
  });

  it('explains every reason of an event or condition that the programs give', () => {
    expect(reasons).to.include('EnsuredLoadBalancer').and.include('ForcedDetach').and.include('NoRouteCreated');
    expect([...reasons].filter((reason) => !operate.text.includes(`\`${reason}\``))).to.deep.equal([]);
  });

  it('explains no event that they do not send', () => {
    const [, section = ''] = /^## Events\n(.*?)^Provisioner, attacher/ms.exec(operate.text) ?? [];
    const explained = [...section.matchAll(/^\| `(\w+)`/gm)].map(([, reason = '']) => reason);
    expect(explained).to.have.length.above(20);
    expect(explained.filter((reason) => !reasons.has(reason))).to.deep.equal([]);
  });

  it('is compared with every place that sends an event', () => {
    for (const { path, text } of code) {
      if (path === 'kube/events.ts') continue;
      const calls = [...text.matchAll(/\.event\(/g)].length;
      const known = [REASONS[0] ?? /$^/, PASSED_ON].flatMap((pattern) => [...text.matchAll(pattern)]).length;
      expect(known, path).to.equal(calls);
    }
  });
});
