import { expect } from 'chai';
import { parse } from 'yaml';
import { newRegistry } from '../../../daemon/metrics.ts';
import { page, sources } from './pages.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

/** Those of kubelet for the volumes of all drivers. */
const KUBELET = /^kubelet_volume_stats_/;

/** What Prometheus makes of a histogram. */
const OF_HISTOGRAMS = /_(?:bucket|sum|count)$/;

/** Names in the code: whatever is in quotes and has an underscore, where metrics are made. */
async function registered(): Promise<ReadonlySet<string>> {
  const code = (await sources('ccm', 'csi', 'daemon', 'kube', 'nifcloud')).filter(({ text }) =>
    /from 'prom-client'/.test(text),
  );
  return new Set(
    code.flatMap(({ text }) => [...text.matchAll(/'([a-z]+(?:_[a-z]+)+)'/g)].map(([, name = '']) => name)),
  );
}

/** The metrics that a PromQL expression asks for: what is neither a text, a label nor a function. */
function metricsIn(expression: string): readonly string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ');
  return [...bare.matchAll(/[a-z]\w*_\w+\b(?!\s*\()/g)].map(([name]) => name);
}

async function rules(): Promise<readonly Rule[]> {
  const { text } = await page('monitoring/prometheus-rules.yaml');
  const { groups } = parse(text) as { groups: { name: string; rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

async function dashboard(): Promise<Dashboard> {
  return JSON.parse((await page('monitoring/grafana-dashboard.json')).text) as Dashboard;
}

describe('metrics', () => {
  let known: ReadonlySet<string>;
  before(async () => (known = await registered()));

  it('are all explained in docs/operate.md', async () => {
    const { text } = await page('docs/operate.md');
    expect(known).to.include('workqueue_depth').and.include('nifcloud_csi_orphan_disks');
    expect([...known].filter((name) => !text.includes(`\`${name}\``))).to.deep.equal([]);
  });

  it('that rules and dashboard ask for exist', async () => {
    const ofTheProcess = newRegistry()
      .getMetricsAsArray()
      .map(({ name }) => name);
    const { panels, templating } = await dashboard();
    const expressions = [
      ...(await rules()).map(({ expr }) => expr),
      ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
      ...templating.list.flatMap(({ definition = '' }) => definition.replace(/^label_values\((.*), \w+\)$/, '$1')),
    ];
    const asked = new Set(expressions.flatMap(metricsIn));
    expect(asked).to.have.property('size').that.is.above(10);
    const isThere = (name: string): boolean =>
      known.has(name) ||
      ofTheProcess.includes(name) ||
      known.has(name.replace(OF_HISTOGRAMS, '')) ||
      KUBELET.test(name);
    expect([...asked].filter((name) => !isThere(name))).to.deep.equal([]);
  });
});

describe('the fullness of volumes', () => {
  it('is not asked of block volumes, which would always be full: kubelet says that 0 bytes are available, and 0 used', async () => {
    const { panels } = await dashboard();
    const expressions = [
      ...(await rules()).map(({ expr }) => expr),
      ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ].filter((expr) => expr.includes('kubelet_volume_stats_available_bytes'));
    expect(expressions).to.have.length(2);
    for (const expr of expressions) {
      expect(expr).to.match(/_available_bytes \/ \w+_capacity_bytes\s+and kubelet_volume_stats_used_bytes > 0\s*\)/);
    }
  });
});

describe('monitoring/prometheus-rules.yaml', () => {
  it('has alerts that say what is the matter, and docs/operate.md says what to do', async () => {
    const { text } = await page('docs/operate.md');
    const alerts = await rules();
    for (const { alert, labels, annotations } of alerts) {
      expect(labels.severity, alert).to.be.oneOf(['critical', 'warning', 'info']);
      expect(annotations, alert).to.have.all.keys('summary', 'description');
      expect(text).to.match(new RegExp(`^\\| \`${alert}\` +\\| ${labels.severity} `, 'm'));
    }
    expect([...text.matchAll(/^\| `Nifcloud\w+`/gm)]).to.have.length(alerts.length);
  });
});

describe('monitoring/grafana-dashboard.json', () => {
  it('has panels that explain themselves, ask the chosen data source and do not cover each other', async () => {
    const { panels, templating } = await dashboard();
    expect(templating.list.map(({ name }) => name)).to.include('datasource');
    expect(new Set(panels.map(({ id }) => id))).to.have.property('size', panels.length);
    const cells = new Set<string>();
    for (const { title, type, description, datasource, targets = [], gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(cells, title).not.to.include(`${x} ${y}`);
          expect(x, title).to.be.below(24);
          cells.add(`${x} ${y}`);
        }
      }
      if (type === 'row') continue;
      expect(description, title).to.be.a('string').and.not.equal('');
      expect(targets, title).not.to.deep.equal([]);
      for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
        expect(source?.uid, title).to.equal('${datasource}');
      }
    }
  });
});
