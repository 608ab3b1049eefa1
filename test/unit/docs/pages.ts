import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A file, by its path in the project. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** One file. */
export async function page(path: string): Promise<Page> {
  return { path, text: await readFile(join(ROOT, path), 'utf8') };
}

/** What operators and newcomers read; the facts sheets are about other people's programs. */
export async function pages(): Promise<readonly Page[]> {
  const docs = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md'));
  return Promise.all(['README.md', 'README.ja.md', 'CONTRIBUTING.md', ...docs.map((name) => `docs/${name}`)].map(page));
}

/** The source of these folders of the project. */
export async function sources(...folders: readonly string[]): Promise<readonly Page[]> {
  const files = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(ROOT, folder), { recursive: true }))
        .filter((name) => name.endsWith('.ts'))
        .map((name) => page(`${folder}/${name}`)),
    ),
  );
  return Promise.all(files.flat());
}

/** What stands in backticks, and the lines of code blocks. */
export function codeIn({ text }: Page): readonly string[] {
  const blocks = [...text.matchAll(/^ *```\w*\n(.*?)^ *```/gms)].map(([, block = '']) => block);
  const inline = [...text.replaceAll(/^ *```\w*\n.*?^ *```/gms, '').matchAll(/`([^`\n]+)`/g)];
  return [...blocks.flatMap((block) => block.split('\n')), ...inline.map(([, code = '']) => code)];
}
