import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { ACTIONS } from '../../../../simulator/nifcloud/actions/actions.ts';
import { CODES } from '../../../../simulator/nifcloud/api/refusal.ts';

describe("the simulator's README", () => {
  let text: string;
  before(async () => {
    text = await readFile(new URL('../../../../simulator/README.md', import.meta.url), 'utf8');
  });

  it('lists exactly the codes that it refuses with, and where each comes from', () => {
    const table = text.slice(text.indexOf('## Codes'), text.indexOf('## Actions'));
    const listed = [...table.matchAll(/^\| `([^`]+)` *\| (\w+) *\| (.*?) *\|$/gm)].map(([, ...row]) => row);
    expect(listed).to.deep.equal(Object.entries(CODES).map(([code, row]) => [code, ...row]));
  });

  it('lists exactly the actions that it knows', () => {
    const listed = text.slice(text.indexOf('## Actions')).match(/\b[A-Z]\w+[A-Z]\w+\b/g);
    expect(listed).to.deep.equal([...ACTIONS.keys()]);
  });
});
