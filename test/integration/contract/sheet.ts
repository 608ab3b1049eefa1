/** What docs/reference/nifcloud-api.md says in forms that a program can read: the judge of both the simulator and the client. */

import { readFileSync } from 'node:fs';

const TEXT = readFileSync(new URL('../../../docs/reference/nifcloud-api.md', import.meta.url), 'utf8');

/** An element of an answer, in the notation at the head of the sheet. */
export interface Element {
  readonly repeats: boolean;
  /** Of its text: `#` integer, `?` boolean, `@` timestamp, `` anything. */
  readonly kind: string;
  readonly children: ReadonlyMap<string, Element>;
}

/** The block after "Response `<XResponse>`:"; `undefined` = the sheet has none for this action. */
export function answerTree(action: string): Element | undefined {
  const block = new RegExp(`Response \`<${action}Response>\`:\\s+\`\`\`\\n([^\`]+)\`\`\``).exec(TEXT)?.[1];
  if (block === undefined) return undefined;
  const tokens = [...block.matchAll(/\w+|[{}#?@:]|\*(?=[:},])/g)].map(([token]) => token);
  const children = (): Map<string, Element> => {
    const found = new Map<string, Element>();
    for (let name = tokens.shift(); name !== undefined && name !== '}'; name = tokens.shift()) {
      const [repeats, kind] = [took('*'), tokens[0] !== undefined && '#?@'.includes(tokens[0]) ? tokens.shift()! : ''];
      // After `item*:` come the children of item, up to the brace that closes the list.
      if (took(':')) return found.set(name, { repeats, kind, children: children() });
      found.set(name, { repeats, kind, children: took('{') ? children() : new Map() });
    }
    return found;
  };
  const took = (token: string): boolean => tokens[0] === token && tokens.shift() !== undefined;
  return { repeats: false, kind: '', children: children() };
}

/** A parameter of the line "Request `Action=X`:". */
export interface RequestParameter {
  /** With `N` where a number stands. */
  readonly name: string;
  readonly required: boolean;
  readonly type: string;
  /** Empty = any. */
  readonly values: readonly string[];
}

/** Empty = the sheet has no such line for this action. */
export function requestParameters(action: string): readonly RequestParameter[] {
  const line = new RegExp(`Request \`Action=${action}\`: (.*)`).exec(TEXT)?.[1] ?? '';
  return [...line.matchAll(/`([\w.]+)`(\*\*\\\*\*\*)? (string|int|bool)(?: \{([^}]*)\})?/g)].map(
    ([, name = '', required, type = '', values = '']) => ({
      name,
      required: required !== undefined,
      type,
      values: values
        .split(',')
        .map((value) => value.trim())
        .filter((value) => value !== ''),
    }),
  );
}

/** The codes of §1.6's catalogue. */
export function catalogue(): readonly string[] {
  const table = TEXT.slice(TEXT.indexOf('**Catalogue of concrete codes**'), TEXT.indexOf('### 1.7'));
  return [...table.matchAll(/^\| ((?:Client|Server)\.[^|]+) \|/gm)].flatMap(([, cell = '']) => {
    const [first = '', ...others] = cell.split(' / ');
    const family = first.slice(0, first.lastIndexOf('.') + 1);
    return [first, ...others.map((resource) => family + resource)];
  });
}

/** The table of §9. */
export function regions(): readonly {
  readonly region: string;
  readonly name: string;
  readonly zones: readonly string[];
}[] {
  const table = TEXT.slice(TEXT.indexOf('## 9. '), TEXT.indexOf('## 10. '));
  return [...table.matchAll(/^\| (\w+-\w+-\d) \| ([\w-]+) \| ([\w, -]+) \|/gm)].map(
    ([, region = '', name = '', zones = '']) => ({ region, name, zones: zones.split(', ') }),
  );
}

/** The table of §3.2: the code of a disk's type, and its text in answers. */
export function diskTypes(): readonly (readonly [code: string, text: string])[] {
  return [...TEXT.matchAll(/^\| ([2-9]) \| `([^`]+)`/gm)].map(([, code = '', text = '']) => [code, text] as const);
}
