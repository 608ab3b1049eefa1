/**
 * Renders `kustomize/` into `manifests/` and into the templates of the Helm chart. With `--check` nothing is written: what
 * differs is named, and the exit code is 1. KUBECTL names the command, if it is not in PATH.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const GENERATED = 'Generated from kustomize/ by `npm run manifests`; change it there.';
const KUBECTL = process.env['KUBECTL'] ?? 'kubectl';

/** The two programs, each with what all names of its objects contain. */
const PROGRAMS = [
  { values: 'ccm', file: 'nifcloud-cloud-controller-manager.yaml', of: 'cloud-controller-manager' },
  { values: 'csi', file: 'nifcloud-additional-storage-csi-driver.yaml', of: 'additional-storage' },
] as const;

const rendered = await render('high-availability');
const template = await render('helm');
const files = PROGRAMS.flatMap(({ values, file, of }) => [
  { path: `manifests/${file}`, text: `# ${GENERATED}\n${joined(rendered, of)}` },
  {
    path: `helm/templates/${file}`,
    text: `{{- /* ${GENERATED} */ -}}\n{{- if .Values.${values}.enabled }}\n${asTemplate(joined(template, of))}{{- end }}\n`,
  },
]);

if (process.argv.includes('--check')) {
  for (const { path, text } of files) {
    if ((await readFile(path, 'utf8').catch(() => '')) === text) continue;
    process.stderr.write(`${path} is not what kustomize/ says: run npm run manifests\n`);
    process.exitCode = 1;
  }
} else {
  for (const { path, text } of files) await writeFile(path, text);
}

/** The objects of an overlay, each as YAML. */
async function render(overlay: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(KUBECTL, ['kustomize', `kustomize/overlays/${overlay}`]);
  return parseAllDocuments(stdout).map((document) => document.toString({ lineWidth: 0 }));
}

function joined(objects: readonly string[], part: string): string {
  return objects
    .map((text) => text.replace(/^---\n/, ''))
    .filter((text) => new RegExp(`^ {2}name: .*${part}`, 'm').test(text))
    .join('---\n');
}

/** Takes the quotes off what kustomize saw as text, and writes out what repeats. */
function asTemplate(yaml: string): string {
  return yaml
    .replaceAll(
      /^( *)- (?:name: )?["']\{\{ each (\S+) \}\}["']$/gm,
      '$1{{- range $2 }}\n$1- {{ toJson . }}\n$1{{- end }}',
    )
    .replaceAll(/'(\{\{ .*? \}\})'$/gm, (_, expression: string) => expression.replaceAll("''", "'"))
    .replaceAll(/"(\{\{ .*? \}\})"$/gm, (_, expression: string) => expression.replaceAll('\\"', '"'));
}
