import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { ACTIONS } from '../../../../simulator/nifcloud/actions/actions.ts';
import { FAULT_KINDS } from '../../../../simulator/nifcloud/api/fault.ts';
import { CODES } from '../../../../simulator/nifcloud/api/refusal.ts';
import { SWITCHES } from '../../../../simulator/nifcloud/world/switches.ts';

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

  /** The cells of the rows of the table between two headings that begin with a word in code. */
  const rowsOf = (from: string, to: string): string[][] =>
    text
      .slice(text.indexOf(from), text.indexOf(to))
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );

  it('lists exactly the kinds of faults, and what each takes', () => {
    expect(rowsOf('| kind ', '| key of every kind')).to.deep.equal(
      Object.entries(FAULT_KINDS).map(([kind, { effect, takes, what }]) => [
        `\`${kind}\``,
        effect === 'when' ? 'if `when` is after' : effect,
        takes.map((key) => `\`${key}\``).join(', ') || '–',
        what,
      ]),
    );
  });

  it('lists exactly the switches, and the question of each', () => {
    expect(rowsOf('## Switches', '## Fleet file')).to.deep.equal(
      Object.entries(SWITCHES).map(([name, { values, asks }]) => [`\`${name}\``, values.join(', '), asks]),
    );
  });

  it('lists exactly the actions that it knows', () => {
    const listed = text.slice(text.indexOf('## Actions')).match(/\b[A-Z]\w+[A-Z]\w+\b/g);
    expect(listed).to.deep.equal([...ACTIONS.keys()]);
  });
});
