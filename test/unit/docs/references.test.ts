import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { readOptions } from '../../../ccm/options.ts';
import { help } from '../../../csi/options.ts';
import { codeIn, page, pages, ROOT, sources, type Page } from './pages.ts';

/** Flags of other programs that pages name. */
const FOREIGN_FLAGS: Readonly<Record<string, readonly string[]>> = {
  kubelet: ['cloud-provider', 'node-ip', 'provider-id'],
  kubectl: [
    'cascade',
    'field-selector',
    'load-restrictor',
    'prefix',
    'previous',
    'since',
    'sort-by',
    'tail',
    'type',
    'watch',
  ],
  'kubectl create': ['from-literal', 'image', 'port'],
  helm: ['install', 'namespace', 'set', 'take-ownership', 'values'],
  docker: ['target'],
  'npm, mocha and node': ['no-config', 'timeout', 'package-lock-only', 'inspect-brk'],
  'npm run demo and manifests': ['stay', 'check'],
};

/** Commands, and messages of Kubernetes itself. */
const FOREIGN =
  /^(?:kubectl|curl|ss |grep|chronyc|waiting for first consumer|volume node affinity conflict|driver name )/;

/** `--a-flag`, not the middle of a word or of a dashed line. */
const FLAG = /(?<![\w-])--([a-z][\w-]*)/g;

/** What GitHub makes of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function anchorsOf({ text }: Page): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

function flagsIn(text: string): readonly string[] {
  return [...text.matchAll(FLAG)].map(([, name = '']) => name);
}

async function knownFlags(): Promise<ReadonlySet<string>> {
  const ccmHelp = readOptions(['--help'], {}, '0');
  if (typeof ccmHelp !== 'string') throw new Error('--help prints no text');
  const { text: simulator } = await page('simulator/README.md');
  return new Set([...[ccmHelp, help(), simulator].flatMap(flagsIn), ...Object.values(FOREIGN_FLAGS).flat()]);
}

describe('docs and README', () => {
  it('link to pages and headings that exist', async () => {
    for (const { path, text } of await pages()) {
      for (const [link, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [file = '', anchor] = target.split('#');
        const to = file === '' ? path : normalize(join(dirname(path), file));
        expect(existsSync(join(ROOT, to)), `${link} in ${path}`).to.equal(true);
        if (anchor !== undefined) expect(anchorsOf(await page(to)), `${link} in ${path}`).to.include(anchor);
      }
    }
  });

  it('name flags that the programs have', async () => {
    const known = await knownFlags();
    const named = (await pages()).map((one) => ({ path: one.path, flags: codeIn(one).flatMap(flagsIn) }));
    for (const { path, flags } of named) {
      expect(
        flags.filter((name) => !known.has(name)),
        path,
      ).to.deep.equal([]);
    }
    const all = new Set(named.flatMap(({ flags }) => flags));
    const unnamed = Object.values(FOREIGN_FLAGS)
      .flat()
      .filter((name) => !all.has(name));
    expect(unnamed).to.deep.equal([]);
  });

  it('name source files that exist', async () => {
    const code = await sources('ccm', 'csi', 'daemon', 'demo', 'kube', 'nifcloud', 'proto', 'scripts', 'simulator');
    for (const one of await pages()) {
      for (const text of codeIn(one)) {
        const [, file = ''] = /^([\w./-]+\.ts)$/.exec(text) ?? [];
        if (file === '') continue;
        const isThere = existsSync(join(ROOT, file)) || code.some(({ path }) => path.endsWith(`/${file}`));
        expect(isThere, `${file} in ${one.path}`).to.equal(true);
      }
    }
  });

  it('name variables of the environment that the programs read', async () => {
    const code = (await sources('ccm', 'csi', 'daemon')).map(({ text }) => text).join('\n');
    for (const one of await pages()) {
      for (const [name] of codeIn(one)
        .join('\n')
        .matchAll(/\bNIFCLOUD_[A-Z_]+\b/g)) {
        expect(code.includes(`'${name}'`), `${name} in ${one.path}`).to.equal(true);
      }
    }
  });

  it('name calls of the cloud that the client makes', async () => {
    const client = (await sources('nifcloud')).map(({ text }) => text).join('\n');
    const { text } = await page('docs/security.md');
    const [, table = ''] = /^The calls that each program makes:\n(.*?)^## /ms.exec(text) ?? [];
    const calls = [...table.matchAll(/`(\w+)`/g)].map(([, call = '']) => call);
    expect(calls).to.have.length.above(30);
    expect(calls.filter((call) => !client.includes(`'${call}'`))).to.deep.equal([]);
  });

  it('quote messages of troubleshooting.md that the programs write', async () => {
    const code = (await sources('ccm', 'csi', 'daemon', 'kube', 'nifcloud')).map(({ text }) => text).join('\n');
    const wording = code.replaceAll(/['`] \+\n\s*['`]/g, '').replaceAll(/\$\{[^}]*\}/g, '…');
    const { text } = await page('docs/troubleshooting.md');
    const quoted = [...text.matchAll(/`([^`\n]{12,})`/g)].map(([, quote = '']) => quote);
    const prose = quoted.filter((quote) => / \w+ /.test(quote) && /^(?:…|[a-z])/.test(quote) && !FOREIGN.test(quote));
    expect(prose).to.have.length.above(20);
    const missing = prose.filter((quote) => {
      const parts = quote.split(/…|\d+|[:,] /).map((part) => part.trim());
      return !parts.every((part) => part.length < 4 || wording.includes(part));
    });
    expect(missing).to.deep.equal([]);
  });
});
