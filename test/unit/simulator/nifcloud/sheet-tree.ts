import { readFile } from 'node:fs/promises';

const SHEET = new URL('../../../../docs/reference/nifcloud-api.md', import.meta.url);

/**
 * The elements that the facts sheet lists for an action's answer, in lower case, as paths through lists:
 * `volumeset.item.attachmentset.item.device`.
 */
export async function sheetElements(action: string): Promise<readonly string[]> {
  const text = await readFile(SHEET, 'utf8');
  const tree = new RegExp(`Response \`<${action}Response>\`:\\s+\`\`\`\\n([^\`]+)\`\`\``).exec(text)?.[1] ?? '';
  const [paths, above]: [string[], string[]] = [[], []];
  let last = '';
  // Punctuation after a name says of what kind its text is.
  for (const [token] of tree.matchAll(/item\*:|\w+|[{}]/g)) {
    if (token === '{') above.push(last);
    else if (token === '}') {
      if (above.at(-1) === 'item') above.pop();
      above.pop();
    } else if (token === 'item*:') above.push('item');
    else {
      last = token.toLowerCase();
      paths.push([...above, last].join('.'));
    }
  }
  return paths;
}

/** Which of these paths an answer lacks. What is below an empty element or list is not missed. */
export function missingElements(answer: unknown, paths: readonly string[]): readonly string[] {
  return paths.filter((path) => {
    let nodes = [answer];
    for (const name of path.split('.')) {
      nodes = nodes.flatMap((node) => {
        if (typeof node !== 'object' || node === null) return []; // nothing below
        const child = Object.entries(node).find(([key]) => key.toLowerCase() === name)?.[1] as unknown;
        if (child === undefined) return [MISSING];
        return Array.isArray(child) ? (child as unknown[]) : [child];
      });
      if (nodes.includes(MISSING)) return true;
    }
    return false;
  });
}

const MISSING = Symbol('missing');
