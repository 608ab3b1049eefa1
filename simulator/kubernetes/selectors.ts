import { at, type JsonObject, type KubeObject, textAt } from './objects.ts';
import { refuse } from './status.ts';

/** Whether an object is wanted. */
export type Matches = (object: KubeObject) => boolean;

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/**
 * A `labelSelector`: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, joined by commas.
 * A negative requirement also holds for an object without the label. `gt` and `lt` are refused.
 * @throws StatusError 400.
 */
export function parseLabelSelector(text: string): Matches {
  const wanted = text
    .split(/,(?![^(]*\))/)
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map(labelRequirement);
  return (object) => wanted.every((holds) => holds(object.metadata.labels ?? {}));
}

function labelRequirement(text: string): (labels: JsonObject) => boolean {
  const match =
    /^(?<not>!)\s*(?<absent>\S+)$/.exec(text) ??
    /^(?<key>\S+)\s+(?<op>in|notin)\s*\((?<set>[^()]*)\)$/.exec(text) ??
    /^(?<key>[^\s=!]+)\s*(?<op>==?|!=)\s*(?<value>[^\s=!]*)$/.exec(text) ??
    /^(?<present>[^\s=!]+)$/.exec(text);
  const { absent, present, key = absent ?? present ?? '', op, set, value = '' } = match?.groups ?? {};
  if (match === null || !LABEL_KEY.test(key)) {
    throw refuse.badRequest(`unable to parse requirement: ${JSON.stringify(text)}`);
  }
  if (op === undefined) return (labels) => Object.hasOwn(labels, key) === (absent === undefined);
  const values = new Set(set === undefined ? [value] : set.split(',').map((one) => one.trim()));
  const negative = op === '!=' || op === 'notin';
  return (labels) => {
    const label = labels[key];
    return typeof label === 'string' ? values.has(label) !== negative : negative;
  };
}

/** Fields of every kind. */
const COMMON_FIELDS = ['metadata.name', 'metadata.namespace'];

/** Fields whose value does not simply stand at the path of their name. */
const DERIVED_FIELDS: Readonly<Record<string, (object: KubeObject) => string>> = {
  source: (object) => textAt(object, 'source', 'component') || textAt(object, 'reportingComponent'),
  'spec.unschedulable': (object) => String(at(object, 'spec', 'unschedulable') === true),
};

/**
 * A `fieldSelector`: `a=b`, `a==b`, `a!=b`, joined by commas; a missing field is `''`.
 * @param selectable the fields that the kind has beside name and namespace.
 * @throws StatusError 400 for another form or field.
 */
export function parseFieldSelector(text: string, selectable: readonly string[]): Matches {
  const wanted = text
    .split(',')
    .filter((one) => one !== '')
    .map((one) => {
      const match = /^(?<name>[^=!]+)(?<op>==?|!=)(?<value>.*)$/.exec(one);
      if (match?.groups === undefined) {
        throw refuse.badRequest(`invalid selector: '${text}'; can't understand '${one}'`);
      }
      const { name = '', op, value = '' } = match.groups;
      if (!COMMON_FIELDS.includes(name) && !selectable.includes(name)) {
        throw refuse.badRequest(`field label not supported: ${name}`);
      }
      const read = DERIVED_FIELDS[name] ?? ((object: KubeObject) => textAt(object, ...name.split('.')));
      return (object: KubeObject) => (read(object) === value) === (op !== '!=');
    });
  return (object) => wanted.every((holds) => holds(object));
}
